import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BuildResult } from '../../src/engines/engine.ts';
import { compareDebianVersions } from '../../src/engines/debversion.ts';
import { Sysroot } from '../../src/system/ostree.ts';
import { EMPTY_REGISTRY, extendRegistry, type IdRegistry } from '../../src/tree/ids.ts';
import { mergeUserDatabases } from '../../src/tree/users.ts';
import { lineOf, makeArchive, openWorkshop, runner, seed, type Workshop } from './layers.fixture.ts';

let shop: Workshop;
let directory: string;

beforeAll(async () => {
  shop = await openWorkshop('layers');
});
afterAll(() => shop.remove());
beforeEach(() => {
  directory = shop.newDirectory();
  shop.output.length = 0;
});

const cat = (commit: string, path: string): string => shop.ostree('cat', commit, path);

describe('postfix on a Debian base', () => {
  let built: BuildResult;

  beforeAll(async () => {
    built = await shop.build({ packages: ['postfix'] });
  });

  test('is in the tree, with its version, and the base is as it was', async () => {
    const packages = await shop.engine.packages(shop.pool, built.commit);
    const before = await shop.engine.packages(shop.pool, shop.base);
    expect(packages.get('postfix')).toMatch(/^3\./);
    expect(before.has('postfix')).toBe(false);
    expect(await shop.pool.resolve('guest/mail/1/tree')).toBe(built.commit);
    expect(await shop.pool.metadata(built.commit, 'guestree.base')).toBe(shop.base);
    expect(shop.ostree('ls', '-R', '-X', built.commit, '/')).not.toContain('trusted.overlay');
    await shop.pool.fsck();
  });

  test('trap 1: what it has in /var reaches a new guest and one that exists, and overwrites nothing', () => {
    expect(shop.ostree('ls', built.commit, '/var')).toMatch(/^d00755 .*\/var\n$/);
    const fresh = `${directory}/new`;
    mkdirSync(fresh);
    seed(shop, built.commit, fresh);
    const uid = Number(lineOf(cat(built.commit, '/usr/etc/passwd'), 'postfix').split(':')[2]);
    expect(statSync(`${fresh}/spool/postfix/active`)).toMatchObject({ uid, gid: 0 });
    expect(statSync(`${fresh}/spool/postfix/active`).mode & 0o7777).toBe(0o700);
    expect(existsSync(`${fresh}/lib/dpkg/../../../usr`)).toBe(false);

    const old = `${directory}/old`;
    mkdirSync(`${old}/spool/postfix/active`, { recursive: true, mode: 0o711 });
    writeFileSync(`${old}/spool/postfix/active/message`, 'queued');
    mkdirSync(`${old}/lib/pam`, { recursive: true });
    writeFileSync(`${old}/lib/pam/auth`, 'of the administrator');
    seed(shop, built.commit, old);
    expect(statSync(`${old}/spool/postfix/deferred`)).toMatchObject({ uid });
    expect(readFileSync(`${old}/spool/postfix/active/message`, 'utf8')).toBe('queued');
    expect(statSync(`${old}/spool/postfix/active`).mode & 0o777).toBe(0o711);
    expect(readFileSync(`${old}/lib/pam/auth`, 'utf8')).toBe('of the administrator');
    expect(existsSync(`${old}/lib/pam/session`)).toBe(true);
  });

  test('trap 2: its users reach a guest whose /etc/passwd was changed', async () => {
    const sysroot = new Sysroot(runner, `${directory}/sysroot`);
    mkdirSync(sysroot.path);
    await sysroot.init('mail');
    await sysroot.shareObjects(shop.pool.path);
    await sysroot.deploy('mail', shop.base);
    const deployed = (commit: string): string => sysroot.directory('mail', `${commit}.0`);
    const guest = deployed(shop.base);
    execFileSync('useradd', ['--root', guest, '--uid', '1234', 'alice']);
    const local = readFileSync(`${guest}/etc/passwd`, 'utf8');

    await sysroot.deploy('mail', built.commit);
    const etc = `${deployed(built.commit)}/etc`;
    // What ostree's merge does, and why it is not enough.
    expect(readFileSync(`${etc}/passwd`, 'utf8')).toBe(local);

    const changed = await mergeUserDatabases(deployed(built.commit), `${guest}/usr/etc`);
    expect(changed.sort()).toEqual(['group', 'gshadow', 'passwd', 'shadow']);
    const passwd = readFileSync(`${etc}/passwd`, 'utf8');
    expect(passwd.startsWith(local)).toBe(true);
    expect(lineOf(passwd, 'postfix')).toBe(lineOf(cat(built.commit, '/usr/etc/passwd'), 'postfix'));
    expect(lineOf(readFileSync(`${etc}/group`, 'utf8'), 'postdrop')).toMatch(/^postdrop:x:\d+:$/);
    expect(lineOf(readFileSync(`${etc}/shadow`, 'utf8'), 'postfix')).toMatch(/^postfix:!/);
    expect(statSync(`${etc}/shadow`)).toMatchObject({ mode: 0o100640, uid: 0, gid: 42 });
    expect(await mergeUserDatabases(deployed(built.commit), `${guest}/usr/etc`)).toEqual([]);
  });

  test('trap 3: nothing was started, and no key of one machine is in the tree', () => {
    expect(shop.output.join('\n')).toBe('');
    expect(
      shop.ostree('ls', built.commit, '/usr/etc/systemd/system/multi-user.target.wants/postfix.service'),
    ).toContain('->');
    const files = shop.ostree('ls', '-R', built.commit, '/usr/etc', '/usr/share/factory');
    expect(files).not.toMatch(/snakeoil|ssh_host_|random-seed/);
    expect(shop.ostree('ls', '-R', built.commit, '/usr/sbin')).not.toContain('policy-rc.d');
    expect(cat(built.commit, '/usr/lib/systemd/system/guestree-host-keys.service')).toContain(
      'make-ssl-cert',
    );
    const root = `${directory}/keys`;
    shop.ostree('checkout', '-H', built.commit, root);
    expect(
      spawnSync('grep', [
        '-rlE',
        'BEGIN ([A-Z0-9]+ )*PRIVATE KEY',
        `${root}/usr/etc`,
        `${root}/usr/share/factory`,
      ]).status,
    ).toBe(1);
  });

  test('a second build has the same ids and, with the same packages, is the same tree', async () => {
    const registry = built.registry;
    const again = await shop.build({
      packages: ['postfix'],
      registry,
      previous: built.commit,
      ref: 'guest/mail/2/tree',
    });
    expect(again).toMatchObject({ commit: built.commit, unchanged: true });
    expect(await shop.pool.resolve('guest/mail/2/tree')).toBe(built.commit);
  });

  test('without the package the tree is the base again, ids aside', async () => {
    expect(await shop.build({ packages: [] })).toMatchObject({ commit: shop.base, unchanged: true });
    const { commit } = await shop.build({ packages: [], registry: built.registry });
    expect((await shop.engine.packages(shop.pool, commit)).has('postfix')).toBe(false);
    expect(lineOf(cat(commit, '/usr/etc/passwd'), 'postfix')).toMatch(/^postfix:x:\d+/);
  });

  test('a package that the base has already is no error', async () => {
    const { commit, unchanged } = await shop.build({ packages: ['bash'] });
    expect(unchanged).toBe(false);
    expect(await shop.engine.packages(shop.pool, commit)).toEqual(
      await shop.engine.packages(shop.pool, shop.base),
    );
  });

  test('upgrades are announced without a build', async () => {
    const changes = await shop.engine.checkUpgrades(shop.request({ ref: 'none', base: built.commit }));
    expect(Array.isArray(changes)).toBe(true);
    expect(existsSync(`${shop.directory}/scratch`)).toBe(false);
  });
});

describe('ids', () => {
  const user = (name: string): { name: string; postinst: string } => ({
    name,
    postinst: `set -e\nid ${name}-user || useradd --system ${name}-user\nmkdir -p /var/lib/${name}\nchown ${name}-user: /var/lib/${name}\n`,
  });
  const idOf = (commit: string, name: string): string =>
    lineOf(cat(commit, '/usr/etc/passwd'), `${name}-user`).split(':')[2] ?? '';

  test('stay when packages change their order and when the base gains a user', async () => {
    const source = makeArchive(directory, [user('aa'), user('bb'), user('cc')]);
    const first = await shop.build({ packages: ['aa', 'bb'], ...source });
    const ids = [idOf(first.commit, 'aa'), idOf(first.commit, 'bb')];
    // The control: without a registry the ids depend on what is installed when.
    const one = await shop.build({ packages: ['aa'], ...source });
    const other = await shop.build({ packages: ['bb'], ...source });
    expect([idOf(one.commit, 'aa'), idOf(other.commit, 'bb')]).not.toEqual(ids);

    const swapped = await shop.build({ packages: ['bb', 'aa'], ...source, registry: first.registry });
    expect([idOf(swapped.commit, 'aa'), idOf(swapped.commit, 'bb')]).toEqual(ids);

    const base = (await shop.build({ packages: ['cc'], ...source, ref: 'newbase' })).commit;
    expect(ids).toContain(idOf(base, 'cc'));
    const moved = await shop.build({ packages: ['bb', 'aa'], ...source, base, registry: first.registry });
    expect([idOf(moved.commit, 'aa'), idOf(moved.commit, 'bb')]).toEqual(ids);
    const number = idOf(moved.commit, 'cc');
    expect(ids).not.toContain(number);
    expect(shop.ostree('ls', moved.commit, '-d', '/usr/share/factory/var/lib/cc')).toMatch(
      new RegExp(`^d00755 ${number} `),
    );
    expect(shop.ostree('ls', base, '-d', '/usr/share/factory/var/lib/cc')).toMatch(
      new RegExp(`^d00755 ${idOf(base, 'cc')} `),
    );
  });

  test('of users that the administrator made are not given away, and those users are not in the tree', async () => {
    const source = makeArchive(directory, [user('aa')]);
    const naive = await shop.build({ packages: ['aa'], ...source });
    const taken = idOf(naive.commit, 'aa');
    writeFileSync(`${source.configuration}/passwd`, `local:x:${taken}:100::/:/bin/sh\n`);
    const { commit, registry } = await shop.build({ packages: ['aa'], ...source });
    expect(idOf(commit, 'aa')).not.toBe(taken);
    // In the tree they would come back at the next upgrade, after the administrator had deleted them.
    for (const name of ['passwd', 'shadow']) expect(cat(commit, `/usr/etc/${name}`)).not.toMatch(/^local:/m);
    expect(registry.passwd.join('\n')).not.toMatch(/^local:/m);
  });

  test('of a registry are in the tree before any package asks', async () => {
    const registry: IdRegistry = extendRegistry(EMPTY_REGISTRY, {
      passwd: 'aa-user:x:777:777::/:/bin/sh\n',
      group: 'aa-user:x:777:\n',
    });
    const postinst = 'getent passwd aa-user >/usr/share/aa-saw';
    const source = makeArchive(directory, [{ name: 'aa', postinst }]);
    const { commit } = await shop.build({ packages: ['aa'], ...source, registry });
    expect(cat(commit, '/usr/share/aa-saw')).toBe('aa-user:x:777:777::/:/bin/sh\n');
  });
});

describe('requests that cannot be met', () => {
  test.each([
    ['nosuchpackage', 'packages', /no package "nosuchpackage"/],
    ['aa=9.9', 'packages', /no version "9.9" of "aa"/],
    ['broken', 'packages', /do not fit together/],
  ])('%s', async (name, reason, says) => {
    const source = makeArchive(directory, [{ name: 'aa' }, { name: 'broken', depends: 'nothing-has-this' }]);
    await expect(shop.build({ packages: [name], ...source })).rejects.toMatchObject({
      reason,
      message: expect.stringMatching(says) as string,
      hint: expect.stringMatching(/./) as string,
    });
  });

  test('a source that does not answer is a network failure', async () => {
    const configuration = `${directory}/etc`;
    mkdirSync(`${configuration}/apt`, { recursive: true });
    writeFileSync(
      `${configuration}/apt/sources.list`,
      'deb [trusted=yes] http://127.0.0.1:9/debian bookworm main\n',
    );
    await expect(shop.build({ packages: ['aa'], configuration })).rejects.toMatchObject({
      reason: 'network',
    });
  });

  test('a guest whose etc/apt is a symlink does not show the host to its packages', async () => {
    const configuration = `${directory}/etc`;
    mkdirSync(configuration);
    execFileSync('ln', ['-s', '/etc/apt', `${configuration}/apt`]);
    await expect(shop.build({ packages: ['aa'], configuration })).rejects.toMatchObject({
      reason: 'invalid',
    });
  });
});

test('versions compare as dpkg compares them', () => {
  const parts = [
    '1',
    '1.0',
    '1.0~rc1',
    '1.0~',
    '1:0.5',
    '1.0-1',
    '1.0-1+b1',
    '1.0+dfsg-1',
    '1.10',
    '1.9',
    '1.0a',
    '1.0-1~bpo12+1',
  ];
  for (const a of parts) {
    for (const b of parts) {
      const older = spawnSync('dpkg', ['--compare-versions', a, 'lt', b]).status === 0;
      expect([a, b, compareDebianVersions(a, b) < 0]).toEqual([a, b, older]);
    }
  }
});
