import { lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  appendSynced,
  exists,
  isErrno,
  isWritable,
  readLinkOptional,
  readOptional,
  replaceSymlink,
  storageFailure,
  writeFileAtomic,
} from '../../../src/system/files.ts';
import { Failure } from '../../../src/model/failure.ts';
import { temporaryDirectory } from '../directory.ts';

const errno = (code: string): Error => Object.assign(new Error(`${code}: x`), { code });

describe('writing a file', () => {
  test('makes its directories, replaces what is there, and leaves nothing else', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a/b/file');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, 'new ü\n', 0o600);
    expect(await readFile(path, 'utf8')).toBe('new ü\n');
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect(await readdir(join(directory, 'a/b'))).toEqual(['file']);
  });

  test('gives the mode that was asked for, whatever the umask', async () => {
    const path = join(await temporaryDirectory(), 'file');
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(path, '');
    } finally {
      process.umask(umask);
    }
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
  });

  test('is not disturbed by what a power cut left of an earlier try', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, '.file.new'), 'a much longer text that was never renamed');
    await writeFileAtomic(join(directory, 'file'), 'short');
    expect(await readFile(join(directory, 'file'), 'utf8')).toBe('short');
    expect(await readdir(directory)).toEqual(['file']);
  });

  test('that fails leaves the old file and nothing else', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'taken'));
    await expect(writeFileAtomic(join(directory, 'taken'), 'x')).rejects.toThrow();
    expect(await readdir(directory)).toEqual(['taken']);
    await writeFile(join(directory, 'file'), 'old');
    await expect(writeFileAtomic(join(directory, 'file/below'), 'x')).rejects.toThrow();
    expect(await readFile(join(directory, 'file'), 'utf8')).toBe('old');
  });

  test('replaces a link, and does not write through it', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'target'), 'kept');
    await symlink('target', join(directory, 'link'));
    await writeFileAtomic(join(directory, 'link'), 'new');
    expect(await readFile(join(directory, 'target'), 'utf8')).toBe('kept');
    expect((await lstat(join(directory, 'link'))).isFile()).toBe(true);
  });
});

describe('replacing a link', () => {
  test('makes it, points it elsewhere, and leaves nothing else', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a/current');
    await replaceSymlink('generations/1', path);
    await replaceSymlink('generations/2', path);
    expect(await readlink(path)).toBe('generations/2');
    expect(await readdir(join(directory, 'a'))).toEqual(['current']);
  });

  test('does so over the rest of an earlier try, and over a link that leads nowhere', async () => {
    const directory = await temporaryDirectory();
    await symlink('nowhere', join(directory, '.current.new'));
    await symlink('nowhere', join(directory, 'current'));
    await replaceSymlink('generations/2', join(directory, 'current'));
    expect(await readlink(join(directory, 'current'))).toBe('generations/2');
    expect(await readdir(directory)).toEqual(['current']);
  });

  test('never has a moment without the link', async () => {
    const path = join(await temporaryDirectory(), 'current');
    await replaceSymlink('0', path);
    const writing = (async () => {
      for (let i = 1; i <= 50; i++) await replaceSymlink(String(i), path);
    })();
    let seen = -1;
    while (seen < 50) {
      const now = Number(await readlink(path));
      expect(now).toBeGreaterThanOrEqual(seen);
      seen = now;
    }
    await writing;
  });

  test('that fails leaves nothing', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'current'));
    await expect(replaceSymlink('x', join(directory, 'current'))).rejects.toThrow();
    expect(await readdir(directory)).toEqual(['current']);
  });
});

describe('looking', () => {
  test('takes what is not there for absent, also below a file', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), 'x');
    for (const path of [join(directory, 'none'), join(directory, 'file/below')]) {
      expect(await exists(path)).toBe(false);
      expect(await readOptional(path)).toBeUndefined();
      expect(await readLinkOptional(path)).toBeUndefined();
    }
    expect(await readLinkOptional(join(directory, 'file'))).toBeUndefined();
    expect(await exists(join(directory, 'file'))).toBe(true);
    expect(await readOptional(join(directory, 'file'))).toBe('x');
    expect(await isWritable(directory)).toBe(true);
  });

  test('does not take a directory for an empty file', async () => {
    await expect(readOptional(await temporaryDirectory())).rejects.toThrow('EISDIR');
  });

  test('appends behind what is there', async () => {
    const path = join(await temporaryDirectory(), 'log');
    await appendSynced(path, 'a\n');
    await appendSynced(path, 'b\n');
    expect(await readFile(path, 'utf8')).toBe('a\nb\n');
  });
});

describe('an error of the file system', () => {
  test.each(['ENOSPC', 'EDQUOT'])('%s is told as "no space", with what to do', (code) => {
    const failure = storageFailure(errno(code), '/srv/x');
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ reason: 'storage', exitCode: 74 });
    expect((failure as Failure).message).toContain('/srv/x');
    expect((failure as Failure).hint).toContain('guestree cleanup');
  });

  test('EROFS is told as "read-only", with what to do', () => {
    const failure = storageFailure(errno('EROFS'), '/srv/x') as Failure;
    expect(failure).toMatchObject({ reason: 'storage' });
    expect(failure.message).toContain('read-only');
    expect(failure.hint).toContain('GUESTREE_STATE');
  });

  test('of any other kind stays what it is', () => {
    for (const error of [errno('EIO'), new Error('x'), 'ENOSPC', undefined, { code: 'ENOSPC' }]) {
      expect(storageFailure(error, '/x')).toBe(error);
    }
    expect(isErrno(errno('EIO'), 'EIO')).toBe(true);
    expect(isErrno({ code: 'EIO' }, 'EIO')).toBe(false);
  });
});
