import { constants, type Stats } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Failure } from '../model/failure.ts';
import { isErrno, storageFailure } from '../system/files.ts';

/**
 * Files of a tree, named by the tree's root and a path relative to it. A tree is made by other people's programs: a
 * symlink in it that points to /etc means the guest's /etc, but the kernel would follow it to the host's. So no
 * function here goes through a symlink, and none writes into a file, which may be a hardlink into the pool.
 */
export async function statWithin(root: string, path: string): Promise<Stats | undefined> {
  const parent = await directoryWithin(root, dirname(path));
  return parent === undefined ? undefined : lstatOptional(`${parent}/${basename(path)}`);
}

/** The absolute path of a real directory, or undefined if there is none. */
export async function directoryWithin(root: string, path: string): Promise<string | undefined> {
  let directory = root;
  for (const part of partsOf(path)) {
    directory = `${directory}/${part}`;
    const found = await lstatOptional(directory);
    if (found === undefined) return undefined;
    if (!found.isDirectory()) return undefined;
  }
  return directory;
}

/** The absolute path of a real directory, made if it is missing. @throws Failure `invalid` for a symlink or a file */
export async function makeDirectoryWithin(root: string, path: string, mode = 0o755): Promise<string> {
  let directory = root;
  for (const part of partsOf(path)) {
    directory = `${directory}/${part}`;
    const found = await lstatOptional(directory);
    if (found === undefined) {
      await mkdir(directory);
      await chmod(directory, mode);
    } else if (!found.isDirectory()) {
      throw new Failure(
        'invalid',
        `the tree has ${found.isSymbolicLink() ? 'a symlink' : 'a file'} where a directory is expected: /${path}`,
        {
          hint: 'Use a tree in which it is a directory; guestree does not follow symlinks of a tree.',
        },
      );
    }
  }
  return directory;
}

/** The names in a directory, sorted; none if it is no real directory. */
export async function listWithin(root: string, path: string): Promise<string[]> {
  const directory = await directoryWithin(root, path);
  return directory === undefined ? [] : (await readdir(directory)).sort();
}

/** The text of a regular file, at most `limit` bytes of it; undefined if there is none. */
export async function readWithin(
  root: string,
  path: string,
  limit = 50_000_000,
): Promise<string | undefined> {
  const found = await statWithin(root, path);
  if (found?.isFile() !== true) return undefined;
  const file = await open(`${root}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(Math.min(limit, found.size)),
      0,
      Math.min(limit, found.size),
      0,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

export interface FileAttributes {
  mode: number;
  uid: number;
  gid: number;
}

const PLAIN: FileAttributes = { mode: 0o644, uid: 0, gid: 0 };

/**
 * Puts a new file in the place of whatever is there, in one rename(2). The new one has the attributes of the old one
 * unless they are given. With `sync` it is on the disk when the promise is kept.
 */
export async function replaceWithin(
  root: string,
  path: string,
  content: string,
  options: { attributes?: FileAttributes; sync?: boolean } = {},
): Promise<void> {
  const directory = await makeDirectoryWithin(root, dirname(path));
  const target = `${directory}/${basename(path)}`;
  const temporary = `${directory}/.${basename(path)}.guestree`;
  const old = await lstatOptional(target);
  const attributes = options.attributes ?? (old?.isFile() === true ? old : PLAIN);
  try {
    await rm(temporary, { force: true, recursive: true });
    const file = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await file.writeFile(content);
      await file.chown(attributes.uid, attributes.gid);
      await file.chmod(attributes.mode & 0o7777);
      if (options.sync === true) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw storageFailure(error, target);
  }
}

/** Makes a symlink in the place of whatever is there. */
export async function linkWithin(root: string, path: string, target: string): Promise<void> {
  const directory = await makeDirectoryWithin(root, dirname(path));
  await rm(`${directory}/${basename(path)}`, { recursive: true, force: true });
  await symlink(target, `${directory}/${basename(path)}`);
}

export async function removeWithin(root: string, path: string): Promise<void> {
  const parent = await directoryWithin(root, dirname(path));
  if (parent !== undefined) await rm(`${parent}/${basename(path)}`, { recursive: true, force: true });
}

/** Removes what is in a directory and keeps the directory itself. */
export async function emptyWithin(root: string, path: string): Promise<void> {
  for (const name of await listWithin(root, path)) await removeWithin(root, `${path}/${name}`);
}

/** An empty directory with a known mode in the place of whatever is there. */
export async function freshDirectoryWithin(
  root: string,
  path: string,
  attributes: FileAttributes,
): Promise<void> {
  await removeWithin(root, path);
  const directory = await makeDirectoryWithin(root, path);
  await chown(directory, attributes.uid, attributes.gid);
  await chmod(directory, attributes.mode);
}

/**
 * Moves a file or directory, by renames. Where both are directories their contents are joined; where one of them is
 * not, the moved one stays.
 */
export async function moveWithin(root: string, from: string, to: string): Promise<void> {
  const moved = await statWithin(root, from);
  if (moved === undefined) return;
  const present = await statWithin(root, to);
  if (moved.isDirectory() && present?.isDirectory() === true) {
    for (const name of await listWithin(root, from))
      await moveWithin(root, `${from}/${name}`, `${to}/${name}`);
    const kept = await makeDirectoryWithin(root, to);
    await chown(kept, moved.uid, moved.gid);
    await chmod(kept, moved.mode & 0o7777);
    await removeWithin(root, from);
    return;
  }
  if (present !== undefined) await removeWithin(root, to);
  const parent = await makeDirectoryWithin(root, dirname(to));
  await rename(`${root}/${from}`, `${parent}/${basename(to)}`);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

async function lstatOptional(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
