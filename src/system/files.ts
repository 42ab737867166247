import { constants } from 'node:fs';
import {
  access,
  mkdir,
  open,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Failure } from '../model/failure.ts';

/**
 * Files that survive a power cut: a file is there whole or not at all. The order is the one of rename(2)'s and
 * fsync(2)'s man pages: write a temporary, fsync it, rename, fsync the directory.
 */
export async function writeFileAtomic(path: string, content: string, mode = 0o644): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  try {
    await makeDirectories(dirname(path));
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(content);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw storageFailure(error, path);
  }
}

/** Points a symlink at another target in one rename(2); there is no moment without the link. */
export async function replaceSymlink(target: string, path: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  try {
    await makeDirectories(dirname(path));
    await rm(temporary, { force: true });
    await symlink(target, temporary);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw storageFailure(error, path);
  }
}

/** Appends and returns when the data is on the disk. */
export async function appendSynced(path: string, text: string): Promise<void> {
  try {
    const file: FileHandle = await open(path, 'a', 0o600);
    try {
      await file.appendFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw storageFailure(error, path);
  }
}

/**
 * A directory with those that lead to it. Node 20 says ENOENT for a recursive mkdir() where the kernel said ENOSPC or
 * EROFS; a plain mkdir(2) of the first directory that is missing tells what it was.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
    return;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw storageFailure(error, path);
  }
  let missing = path;
  while (!(await exists(dirname(missing)))) missing = dirname(missing);
  try {
    await mkdir(missing, { mode });
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw storageFailure(error, path);
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}

export async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

export async function readLinkOptional(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EINVAL') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

export async function isWritable(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return true;
  } catch (error) {
    if (isErrno(error, 'EROFS') || isErrno(error, 'EACCES')) return false;
    throw error;
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Turns "no space" and "read-only" into a failure that says what to do; passes everything else on. */
export function storageFailure(error: unknown, path: string): unknown {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new Failure('storage', `no space left on the device that holds ${path}`, {
      cause: error,
      hint: 'Make space (guestree cleanup, df -h), then run the same command again.',
    });
  }
  if (isErrno(error, 'EROFS')) {
    return new Failure('storage', `${path} is on a read-only file system`, {
      cause: error,
      hint: 'Remount it read-write, or choose another state directory with GUESTREE_STATE=DIR.',
    });
  }
  return error;
}
