import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseSource } from '../../src/model/source.ts';
import { Repo } from '../../src/system/ostree.ts';
import type { Base } from '../../src/tree/base.ts';
import { fromTree, toTree } from '../../src/tree/layout.ts';
import { makeTinyRoot, mountsBelow, openWorkshop, runner, SUITE, type Workshop } from './layers.fixture.ts';

let shop: Workshop;
let directory: string;
let root: string;

beforeAll(async () => {
  shop = await openWorkshop('bases');
});
afterAll(() => shop.remove());
beforeEach(() => {
  directory = mkdtempSync(`${shop.directory}/case-`);
  root = `${directory}/root`;
  makeTinyRoot(root);
});

async function make(
  source: string,
  options: Parameters<typeof parseSource>[1] = {},
  refresh = false,
): Promise<Base> {
  const request = {
    ...{ pool: shop.pool, source: parseSource(source, options), scratch: `${shop.directory}/scratch` },
    ...{ cache: shop.cache, progress: () => undefined },
  };
  const base = await (refresh ? shop.bases.refresh(request) : shop.bases.fetch(request));
  expect(existsSync(request.scratch)).toBe(false);
  return base;
}

const ostree = (...args: string[]): string =>
  execFileSync('ostree', [`--repo=${shop.pool.path}`, ...args], { encoding: 'utf8' });

describe('a Debian base', () => {
  test('is a tree with an empty /var, package sources and a network', async () => {
    const top = ostree('ls', shop.base, '/')
      .split('\n')
      .map((line) => line.replace(/^.* \//, '/'));
    expect(top).toEqual(
      expect.arrayContaining([
        '/home -> var/home',
        '/root -> var/roothome',
        '/ostree -> sysroot/ostree',
        '/opt',
      ]),
    );
    expect(ostree('ls', shop.base, '/var')).toMatch(/^d00755 0 0 .*\/var\n$/);
    expect(ostree('cat', shop.base, '/usr/etc/apt/sources.list.d/debian.sources')).toContain(
      `Suites: ${SUITE} ${SUITE}-updates\n`,
    );
    expect(
      ostree('ls', shop.base, '/usr/etc/systemd/system/multi-user.target.wants/systemd-networkd.service'),
    ).toContain('->');
    expect(ostree('cat', shop.base, '/usr/etc/machine-id')).toBe('');
    expect(ostree('cat', shop.base, '/usr/lib/modules/0-guest/vmlinuz')).not.toBe('');
    const packages = await shop.engine.packages(shop.pool, shop.base);
    expect([...packages.keys()]).toEqual(
      expect.arrayContaining(['apt', 'systemd', 'dbus', 'libpam-systemd']),
    );
    expect(await shop.engine.detect(shop.pool, shop.base)).toBe(true);
  });

  test('that is new enough is not changed by a refresh', async () => {
    await shop.pool.setRef(`base/debian/${SUITE}/${process.arch}`, shop.base);
    await make(`debian:${SUITE}`, {}, true);
    expect(await make(`debian:${SUITE}`, {}, true)).toMatchObject({ changed: false });
  });

  test('of a suite that does not exist is refused', async () => {
    await expect(make('debian:nosuchsuite')).rejects.toMatchObject({ reason: 'not-found' });
  });

  test('of a mirror that does not answer is a network failure', async () => {
    await expect(make('debian:trixie', { mirror: 'http://127.0.0.1:9/debian' })).rejects.toMatchObject({
      reason: 'network',
    });
  });
});

describe('a directory', () => {
  test('becomes a tree and is not touched itself', async () => {
    execFileSync('chown', ['500:500', `${root}/var/lib/app`]);
    execFileSync('mkfifo', ['-m', '600', `${root}/var/lib/app/queue`]);
    const before = execFileSync('find', ['.', '-printf', '%p %m %T@ %i\n'], { cwd: root, encoding: 'utf8' });
    const { commit, changed } = await make(`dir:${root}`);
    expect(changed).toBe(true);
    expect(execFileSync('find', ['.', '-printf', '%p %m %T@ %i\n'], { cwd: root, encoding: 'utf8' })).toBe(
      before,
    );
    const conf = ostree('cat', commit, '/usr/lib/tmpfiles.d/guestree-var.conf');
    expect(conf).toContain('d /var/lib/app 0755 app app -\n');
    expect(conf).toContain('C "/var/lib/app/a file" - - - - /usr/share/factory/var/lib/app/a\\x20file\n');
    expect(conf).toContain('p /var/lib/app/queue 0600 root root -\n');
    expect(ostree('cat', commit, '/usr/share/factory/var/roothome/.profile')).toBe('# profile\n');
  });

  test('without changes has the same commit at a refresh, with one it has another', async () => {
    const first = await make(`dir:${root}`);
    expect(await make(`dir:${root}`, {}, true)).toEqual({ ...first, changed: false });
    writeFileSync(`${root}/etc/new`, 'x');
    expect(await make(`dir:${root}`, {}, true)).toMatchObject({ changed: true });
  });

  test('that is not usr-merged is refused', async () => {
    rmSync(`${root}/bin`);
    mkdirSync(`${root}/bin`);
    await expect(make(`dir:${root}`)).rejects.toMatchObject({
      reason: 'unsupported',
      message: expect.stringContaining('usr-merged') as string,
    });
  });

  test.each(['usr/lib/systemd/systemd', 'usr/lib/os-release', 'usr/bin/sh'])(
    'without %s is refused',
    async (path) => {
      rmSync(`${root}/${path}`);
      await expect(make(`dir:${root}`)).rejects.toMatchObject({ reason: 'invalid' });
    },
  );

  test('of another architecture is refused', async () => {
    const program = readFileSync('/bin/true');
    program.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
    writeFileSync(`${root}/usr/lib/systemd/systemd`, program);
    await expect(make(`dir:${root}`)).rejects.toMatchObject({ reason: 'unsupported' });
  });

  test('that does not exist, or that holds the state directory, is refused', async () => {
    await expect(make('dir:/nonexistent')).rejects.toMatchObject({ reason: 'not-found' });
    await expect(make(`dir:${shop.directory}`)).rejects.toMatchObject({ reason: 'invalid' });
  });

  test('with a symlink where the tree is written to cannot reach the host', async () => {
    mkdirSync(`${directory}/host`);
    rmSync(`${root}/usr/lib/tmpfiles.d`, { force: true, recursive: true });
    execFileSync('ln', ['-s', `${directory}/host`, `${root}/usr/lib/tmpfiles.d`]);
    await expect(make(`dir:${root}`)).rejects.toMatchObject({ reason: 'invalid' });
    expect(execFileSync('ls', ['-A', `${directory}/host`], { encoding: 'utf8' })).toBe('');
  });
});

describe('an archive', () => {
  const pack = (...more: string[]): string => {
    execFileSync('tar', ['-C', root, '-cf', `${directory}/os.tar`, ...more, '.']);
    return `${directory}/os.tar`;
  };

  test('gives the tree that its directory gives, compressed or not', async () => {
    const plain = await make(`dir:${root}`);
    const archived = await make(`tar:${pack('--zstd')}`);
    expect(await shop.pool.contentChecksum(archived.commit)).toBe(
      await shop.pool.contentChecksum(plain.commit),
    );
  });

  test('that is cut off, or no archive, or not there is refused', async () => {
    const path = pack('-z');
    truncateSync(path, Math.floor(statSync(path).size / 2));
    await expect(make(`tar:${path}`)).rejects.toMatchObject({ reason: 'invalid' });
    writeFileSync(path, 'garbage');
    await expect(make(`tar:${path}`)).rejects.toMatchObject({ reason: 'invalid' });
    await expect(make(`tar:${directory}/none.tar`)).rejects.toMatchObject({ reason: 'not-found' });
  });

  test('cannot write outside of its own directory', async () => {
    mkdirSync(`${directory}/out`);
    writeFileSync(`${directory}/evil`, 'evil');
    const path = pack(
      '-P',
      `--transform=s|^${directory}/evil|../../../..${directory}/out/a|`,
      `${directory}/evil`,
    );
    await expect(make(`tar:${path}`)).rejects.toMatchObject({ reason: 'invalid' });
    expect(existsSync(`${directory}/out/a`)).toBe(false);
  });
});

describe('a ref of a repository', () => {
  test('is taken as it is, with its commit, if it has the layout', async () => {
    const repo = new Repo(runner, `${directory}/repo`);
    await repo.init();
    await toTree(root);
    const commit = await repo.commitDirectory({ directory: root, ref: 'os/tiny', subject: 'x' });
    expect(await make('ostree:os/tiny', { repo: repo.path })).toMatchObject({ commit, changed: true });
    expect(await make('ostree:os/tiny', { repo: repo.path }, true)).toMatchObject({ commit, changed: false });
  });

  test('that does not exist is refused', async () => {
    await expect(make('ostree:os/tiny', { repo: `${directory}/none` })).rejects.toMatchObject({
      reason: 'not-found',
    });
    await expect(make('ostree:os/none', { repo: shop.pool.path })).rejects.toMatchObject({
      reason: 'not-found',
    });
  });
});

describe('secrets', () => {
  test('of the machine that built the tree do not enter it', async () => {
    const key = execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' });
    const secrets = [
      'etc/ssh/ssh_host_rsa_key',
      'etc/ssl/private/ssl-cert-snakeoil.key',
      'etc/app/my.pem',
      'var/lib/app/id_x',
    ];
    for (const path of secrets) {
      mkdirSync(`${root}/${path.replace(/\/[^/]*$/, '')}`, { recursive: true });
      writeFileSync(`${root}/${path}`, key);
    }
    for (const path of [
      'etc/hostname',
      'etc/resolv.conf',
      'var/lib/systemd/random-seed',
      'var/log/syslog',
      'var/lib/dbus/machine-id',
    ]) {
      mkdirSync(`${root}/${path.replace(/\/[^/]*$/, '')}`, { recursive: true });
      writeFileSync(`${root}/${path}`, 'of the builder');
    }
    writeFileSync(`${root}/etc/machine-id`, '0123456789abcdef0123456789abcdef\n');
    const { commit, warnings } = await make(`dir:${root}`);
    expect(warnings.join('\n')).toMatch(
      /\/etc\/app\/my.pem is a private key.*\n.*\/var\/lib\/app\/id_x is a private key/,
    );
    const out = `${directory}/out`;
    ostree('checkout', '-U', commit, out);
    const found = spawnSync('grep', ['-rlE', 'PRIVATE KEY|of the builder|0123456789abcdef', out], {
      encoding: 'utf8',
    });
    expect(found.stdout).toBe('');
    expect(found.status).toBe(1);
  });
});

test('a tree survives the way back and forth', async () => {
  const { commit } = await make(`dir:${root}`);
  const out = `${directory}/out`;
  await shop.pool.checkoutHardlinks(commit, out);
  await fromTree(out);
  expect(readFileSync(`${out}/etc/passwd`, 'utf8')).toContain('app');
  expect(readFileSync(`${out}/root/.profile`, 'utf8')).toBe('# profile\n');
  await toTree(out);
  const again = await shop.pool.commitDirectory({ directory: out, subject: 'again' });
  expect(await shop.pool.contentChecksum(again)).toBe(await shop.pool.contentChecksum(commit));
  await shop.pool.fsck();
  expect(mountsBelow(shop.directory)).toEqual([]);
});
