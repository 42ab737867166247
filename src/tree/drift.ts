import { constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../system/files.ts';

/** A path below /etc that differs from the tree's pristine configuration in usr/etc. */
export interface Drift {
  path: string;
  change: 'added' | 'removed' | 'changed';
}

/**
 * The drift of a deployment's /etc. `ostree admin config-diff` says the same, but only of the deployment that is
 * listed first (ot-admin-builtin-diff.c), and a guest can run from any.
 */
export async function observeDrift(deployment: string): Promise<Drift[]> {
  const found: Drift[] = [];
  await compare(join(deployment, 'usr/etc'), join(deployment, 'etc'), '', found);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function compare(pristine: string, local: string, below: string, found: Drift[]): Promise<void> {
  const [before, after] = await Promise.all([names(pristine), names(local)]);
  for (const name of new Set([...before, ...after])) {
    const path = below === '' ? name : `${below}/${name}`;
    if (!before.has(name)) found.push({ path, change: 'added' });
    else if (!after.has(name)) found.push({ path, change: 'removed' });
    else if (await isSame(join(pristine, name), join(local, name))) {
      if ((await lstat(join(local, name))).isDirectory())
        await compare(join(pristine, name), join(local, name), path, found);
    } else found.push({ path, change: 'changed' });
  }
}

async function names(directory: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(directory));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return new Set();
    throw error;
  }
}

/** Whether two files have the same kind, owner, mode and content; of directories only the attributes are compared. */
export async function isSame(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(a), lstat(b)]);
  if (left.mode !== right.mode || left.uid !== right.uid || left.gid !== right.gid) return false;
  if (left.isSymbolicLink()) return (await readlink(a)) === (await readlink(b));
  if (!left.isFile()) return true;
  return left.size === right.size && (await contentOf(a)).equals(await contentOf(b));
}

/** The guest may put something else in the file's place at any moment: a symlink is not followed, a pipe not waited for. */
async function contentOf(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
