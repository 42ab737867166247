import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dropOutwardLinks, makeConfiguration, putConfiguration } from '../../../src/engines/configuration.ts';
import { parseCommit } from '../../../src/model/names.ts';
import { Repo } from '../../../src/system/ostree.ts';
import { createRunner } from '../../../src/system/run.ts';
import { failureOfLater } from '../../unit/failures.ts';

const runner = createRunner({ started: () => undefined }, process.env);
const NAMES = ['yum.repos.d', 'pki/rpm-gpg', 'rpm-ostreed.conf'];
const OLD = 'baseurl=http://example.org/41/\n';
const NEW = 'baseurl=http://example.org/42/\n';

let root: string;
/** The /etc of the new tree, of the guest, and the pristine one of the guest's deployment. */
let tree = '';
let etc = '';
let pristine = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'guestree-configuration-'));
  [tree, etc, pristine] = [`${root}/tree`, `${root}/guest/etc`, `${root}/guest/usr/etc`];
  for (const each of [etc, pristine]) {
    write(each, 'yum.repos.d/base.repo', OLD);
    write(each, 'yum.repos.d/extras.repo', OLD);
    write(each, 'pki/rpm-gpg/KEY-41', 'key 41');
    write(each, 'rpm-ostreed.conf', '[Daemon]\n');
  }
  write(tree, 'yum.repos.d/base.repo', NEW);
  write(tree, 'yum.repos.d/extras.repo', NEW);
  write(tree, 'pki/rpm-gpg/KEY-42', 'key 42');
  write(tree, 'rpm-ostreed.conf', '[Daemon]\n# new\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(below: string, path: string, text: string): void {
  mkdirSync(dirname(join(below, path)), { recursive: true });
  writeFileSync(join(below, path), text);
}

/** @param base paths below etc that the guest's former base has */
async function make(base?: readonly string[]): Promise<(path: string) => string | undefined> {
  class Former extends Repo {
    override has(_commit: string, path: string): Promise<boolean> {
      return Promise.resolve(base?.includes(path.replace('/usr/etc/', '')) === true);
    }
  }
  const request = {
    pool: new Former(runner, `${root}/pool`),
    configuration: etc,
    formerBase: base === undefined ? undefined : parseCommit('a'.repeat(64)),
  };
  await makeConfiguration(runner, request, { tree: tree, names: NAMES, into: `${root}/made` });
  return (path) =>
    existsSync(`${root}/made/${path}`) ? readFileSync(`${root}/made/${path}`, 'utf8') : undefined;
}

describe('the package sources that a guest will have on another base', () => {
  test('are the new ones where nobody changed anything', async () => {
    const made = await make();
    expect(made('yum.repos.d/base.repo')).toBe(NEW);
    expect(made('rpm-ostreed.conf')).toContain('new');
    expect(made('pki/rpm-gpg/KEY-42')).toBe('key 42');
    expect(made('pki/rpm-gpg/KEY-41')).toBeUndefined();
  });

  test('are the administrator’s own where they were changed, added or removed', async () => {
    write(etc, 'yum.repos.d/base.repo', OLD.replace('41', '40'));
    write(etc, 'yum.repos.d/own.repo', 'mine');
    rmSync(`${etc}/yum.repos.d/extras.repo`);
    write(etc, 'pki/rpm-gpg/KEY-own', 'my key');
    const made = await make();
    expect(made('yum.repos.d/base.repo')).toContain('40');
    expect(made('yum.repos.d/own.repo')).toBe('mine');
    expect(made('yum.repos.d/extras.repo')).toBeUndefined();
    expect(made('pki/rpm-gpg/KEY-own')).toBe('my key');
    expect(made('pki/rpm-gpg/KEY-42')).toBe('key 42');
  });

  test('keep a repository that a layered package brought, which no base has', async () => {
    for (const each of [etc, pristine]) write(each, 'yum.repos.d/vendor.repo', 'of a package');
    const made = await make(['yum.repos.d/base.repo', 'yum.repos.d/extras.repo', 'pki/rpm-gpg/KEY-41']);
    expect(made('yum.repos.d/vendor.repo')).toBe('of a package');
    expect(made('pki/rpm-gpg/KEY-41')).toBeUndefined();
  });

  test('are there again where a directory was taken away as a whole, or is new', async () => {
    rmSync(`${etc}/pki`, { recursive: true });
    write(etc, 'yum.repos.d/deep/er.repo', 'deep');
    chmodSync(`${etc}/yum.repos.d`, 0o700);
    const made = await make();
    expect(made('pki/rpm-gpg/KEY-42')).toBeUndefined();
    expect(made('yum.repos.d/deep/er.repo')).toBe('deep');
    expect(made('yum.repos.d/base.repo')).toBe(NEW);
  });

  test('are the guest’s as they are where nothing says what was changed', async () => {
    rmSync(`${root}/guest/usr`, { recursive: true });
    const made = await make();
    expect(made('yum.repos.d/base.repo')).toBe(OLD);
    expect(made('pki/rpm-gpg/KEY-42')).toBeUndefined();
  });

  test('never come from behind a symlink of the guest', async () => {
    write(`${root}/host`, 'rpm-gpg/SECRET', 'of the host');
    write(`${root}/host`, 'secret', 'of the host');
    rmSync(`${etc}/pki`, { recursive: true });
    symlinkSync(`${root}/host`, `${etc}/pki`);
    rmSync(`${etc}/yum.repos.d/base.repo`);
    symlinkSync(`${root}/host/secret`, `${etc}/yum.repos.d/base.repo`);
    const made = await make();
    expect(made('pki/rpm-gpg/SECRET')).toBeUndefined();
    expect(await dropOutwardLinks(`${root}/made`)).toEqual(['yum.repos.d/base.repo']);
    expect(made('yum.repos.d/base.repo')).toBeUndefined();
  });

  test('are refused where a directory is a symlink or a file', async () => {
    rmSync(`${etc}/yum.repos.d`, { recursive: true });
    symlinkSync('/etc', `${etc}/yum.repos.d`);
    const failure = await failureOfLater(make());
    expect(failure).toMatchObject({ reason: 'invalid' });
    expect(failure.message).toContain('etc/yum.repos.d of the guest is not a directory');
  });
});

test('links that stay in their directory are kept', async () => {
  symlinkSync('KEY-42', `${tree}/pki/rpm-gpg/KEY-newest`);
  symlinkSync('..', `${tree}/pki/rpm-gpg/up`);
  const made = await make();
  expect(await dropOutwardLinks(`${root}/made`)).toEqual(['pki/rpm-gpg/up']);
  expect(made('pki/rpm-gpg/KEY-newest')).toBe('key 42');
});

test('a deployment gets them in the place of its own', async () => {
  await make();
  const deployment = `${root}/deployment`;
  write(deployment, 'etc/yum.repos.d/old.repo', OLD);
  write(deployment, 'etc/hosts', 'stays');
  await putConfiguration(runner, `${root}/made`, deployment, NAMES);
  await putConfiguration(runner, `${root}/made`, deployment, NAMES);
  expect(existsSync(`${deployment}/etc/yum.repos.d/old.repo`)).toBe(false);
  expect(readFileSync(`${deployment}/etc/yum.repos.d/base.repo`, 'utf8')).toBe(NEW);
  expect(readFileSync(`${deployment}/etc/hosts`, 'utf8')).toBe('stays');
});
