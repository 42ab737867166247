import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deploymentId, Repo, Sysroot } from '../../src/system/ostree.ts';
import { createRunner } from '../../src/system/run.ts';
import type { Commit } from '../../src/model/names.ts';

const runner = createRunner({ started: () => undefined }, process.env);
let directory: string;
let pool: Repo;
let sysroot: Sysroot;

beforeAll(async () => {
  directory = await mkdtemp('/var/tmp/guestree-sysroot-');
  pool = new Repo(runner, join(directory, 'pool'));
  await mkdir(pool.path);
  await pool.init();
  sysroot = new Sysroot(runner, join(directory, 'sysroot'));
  await mkdir(sysroot.path);
  await sysroot.init('mail');
  await sysroot.shareObjects(pool.path);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The smallest tree that `ostree admin deploy` takes: os-release, usr/etc and a kernel. */
async function commitTree(version: string): Promise<Commit> {
  const tree = join(directory, `tree-${version}`);
  await mkdir(join(tree, 'usr/etc'), { recursive: true });
  await mkdir(join(tree, 'usr/lib/modules/0-guest'), { recursive: true });
  await writeFile(join(tree, 'usr/lib/modules/0-guest/vmlinuz'), 'stub');
  await writeFile(join(tree, 'usr/lib/os-release'), `ID=test\nVERSION_ID=${version}\n`);
  await symlink('../usr/lib/os-release', join(tree, 'usr/etc/os-release')).catch(() => undefined);
  await writeFile(join(tree, 'usr/etc/release'), version);
  await writeFile(join(tree, 'usr/etc/motd'), 'pristine');
  return pool.commitDirectory({ directory: tree, ref: `v${version}`, subject: version });
}

async function deployTree(version: string): Promise<string> {
  await commitTree(version);
  return sysroot.deploy('mail', `v${version}`);
}

const etc = (id: string, name: string): string => join(sysroot.directory('mail', id), 'etc', name);

test('deployments are listed, pinned and kept, and /etc is merged from the one that was made first', async () => {
  const one = await deployTree('1');
  await writeFile(etc(one, 'motd'), 'changed in one');
  const two = await deployTree('2');
  expect(await readFile(etc(two, 'motd'), 'utf8')).toBe('changed in one');
  expect(await readFile(etc(two, 'release'), 'utf8')).toBe('2');
  await writeFile(etc(two, 'motd'), 'changed in two');

  // Back on one, as after a rollback: the next deployment must not see what was done on two.
  await sysroot.makeFirst(one);
  expect((await sysroot.deployments()).map(deploymentId)).toEqual([one, two]);
  const three = await deployTree('3');
  expect(await readFile(etc(three, 'motd'), 'utf8')).toBe('changed in one');

  await sysroot.cleanup();
  const all = await sysroot.deployments();
  expect(new Set(all.map(deploymentId))).toEqual(new Set([one, two, three]));
  expect(all.every((each) => each.pinned)).toBe(true);

  const last = all.find((each) => deploymentId(each) === two);
  await sysroot.unpin(last?.index ?? -1);
  expect(await sysroot.hasOthers('mail', new Set([one, three]))).toBe(true);
  await sysroot.undeploy(last?.index ?? -1);
  expect(await sysroot.hasOthers('mail', new Set([one, three]))).toBe(false);
  expect((await sysroot.deployments()).map(deploymentId).sort()).toEqual([one, three].sort());
  await expect(sysroot.makeFirst(two)).rejects.toThrow(/not listed by ostree/);
  await sysroot.repo.fsck();
});

test('a deployment shares its files with the pool, and takes no objects of its own', async () => {
  const [first] = await sysroot.deployments();
  if (first === undefined) throw new Error('nothing is deployed');
  const release = await stat(join(sysroot.directory('mail', deploymentId(first)), 'usr/lib/os-release'));
  expect(release.nlink).toBeGreaterThan(1);
  const objects = await readdir(join(sysroot.path, 'ostree/repo/objects'), { recursive: true });
  expect(objects.filter((name) => name.endsWith('.file'))).toEqual([]);
  await pool.prune();
  await pool.fsck();
});

test('a sysroot can be removed as a plain directory', async () => {
  await rm(sysroot.path, { recursive: true });
});

test('a ref that is not there is undefined, or a failure with the command that lists refs', async () => {
  expect(await pool.resolve('guest/none/1/tree')).toBeUndefined();
  await expect(pool.require('guest/none/1/tree')).rejects.toThrow(/no ref/);
  await pool.deleteRef('guest/none/1/tree');
});

test('equal content has an equal checksum, other content another', async () => {
  const tree = join(directory, 'tree-1');
  const again = await pool.commitDirectory({ directory: tree, ref: 'again', subject: 'another subject' });
  expect(await pool.contentChecksum(again)).toBe(await pool.contentChecksum('v1'));
  expect(await pool.contentChecksum(again)).not.toBe(await pool.contentChecksum('v2'));
  expect((await pool.refs()).get('again')).toBe(again);
});
