import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchSysroot, STATEROOT } from '../../src/engines/rpmostree/sysroot.ts';
import { parseOrigin } from '../../src/formats/origin.ts';
import type { Commit } from '../../src/model/names.ts';
import { Repo } from '../../src/system/ostree.ts';
import { createRunner } from '../../src/system/run.ts';
import { cleanScratch } from '../../src/tree/scratch.ts';
import { failureOfLater } from '../unit/failures.ts';

/** What a machine may do to its sysroot, and what must come of it. The tests play the machine's root. */
const runner = createRunner({ started: () => undefined }, process.env);
let directory: string;
let scratch: string;
let pool: Repo;
let base: Commit;
let sysroot: ScratchSysroot;
let root: string;

beforeEach(async () => {
  directory = await mkdtemp('/var/tmp/guestree-scratch-');
  scratch = join(directory, 'scratch');
  await mkdir(scratch);
  pool = new Repo(runner, join(directory, 'pool'));
  await mkdir(pool.path);
  await pool.init();
  base = await commitTree('base');
  await pool.setRef('base', base);
  sysroot = await ScratchSysroot.make(runner, scratch, pool, [base]);
  const deployment = await sysroot.deploy(base, ['hello']);
  root = join(sysroot.path, 'ostree/deploy', STATEROOT, 'deploy', deployment);
});
afterEach(async () => {
  await cleanScratch(runner, scratch);
  await rm(directory, { recursive: true, force: true });
});

async function commitTree(word: string, repo = pool): Promise<Commit> {
  const tree = join(directory, `tree-${word}`);
  await mkdir(join(tree, 'usr/etc'), { recursive: true });
  await mkdir(join(tree, 'usr/lib/modules/0-guest'), { recursive: true });
  await writeFile(join(tree, 'usr/lib/modules/0-guest/vmlinuz'), 'stub');
  await writeFile(join(tree, 'usr/lib/os-release'), 'ID=test\n');
  await writeFile(join(tree, 'usr/word'), word);
  return repo.commitDirectory({ directory: tree, subject: word });
}

/** Inode numbers of all files of a repository. */
async function inodes(repo: string): Promise<Set<number>> {
  const found = new Set<number>();
  for (const entry of await readdir(`${repo}/objects`, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) found.add((await lstat(join(entry.parentPath, entry.name))).ino);
  }
  return found;
}

test('shares no file with the pool, in neither direction', async () => {
  const made = await commitTree('made', sysroot.repo);
  await sysroot.deliver(pool, made);
  expect(await pool.cat(made, '/usr/word')).toBe('made');
  const [inPool, inScratch] = [await inodes(pool.path), await inodes(sysroot.repo.path)];
  expect([...inPool].filter((inode) => inScratch.has(inode))).toEqual([]);
  expect(inPool.has((await lstat(join(root, 'usr/word'))).ino)).toBe(false);
});

test('has an origin as rpm-ostree writes it, and the first deployment is found again', async () => {
  const origin = parseOrigin(await readFile(`${root}.origin`, 'utf8'), 'origin');
  expect(origin).toMatchObject({ requested: ['hello'], base: { kind: 'refspec', refspec: 'guestree/base' } });
  expect(await sysroot.result()).toMatchObject({ commit: base, stateroot: STATEROOT });
});

test('an object with another content than its name says does not get into the pool', async () => {
  const made = await commitTree('honest', sysroot.repo);
  const objects = `${sysroot.repo.path}/objects`;
  for (const entry of await readdir(objects, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path, 'utf8')) === 'honest') await writeFile(path, 'forged');
  }
  expect((await failureOfLater(sysroot.deliver(pool, made))).message).toMatch(/[Cc]orrupted|checksum/);
  expect(await pool.resolve('guest')).toBeUndefined();
});

test.each(['ostree', 'ostree/repo', 'ostree/repo/objects', 'ostree/deploy', 'boot'])(
  'a symlink in the place of /%s is refused',
  async (path) => {
    const place = join(sysroot.path, path);
    await rename(place, join(directory, 'elsewhere'));
    await symlink(join(directory, 'elsewhere'), place);
    expect((await failureOfLater(sysroot.result())).message).toContain(`/${path}`);
  },
);

test('a directory of objects that leads elsewhere, and another repository behind this one, are refused', async () => {
  const config = `${sysroot.repo.path}/config`;
  await writeFile(config, `${await readFile(config, 'utf8')}parent=${pool.path}\n`);
  await sysroot.result();
  expect(await readFile(config, 'utf8')).not.toContain('parent');
  await symlink(`${pool.path}/objects/00`, `${sysroot.repo.path}/objects/zz`);
  expect((await failureOfLater(sysroot.result())).message).toContain('/ostree/repo/objects/zz');
});
