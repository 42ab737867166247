import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { parsePackageName, quoted } from '../model/names.ts';
import { isNevra, type LocalRpm } from '../model/overrides.ts';
import { isErrno } from '../system/files.ts';
import { parseHeader } from './rpmdb.ts';

/**
 * A package file: a lead of 96 bytes, the header of its signatures, its own header, the payload (rpm's
 * docs/manual/format_v4.md). It is read without rpm, which the host may not have.
 */
const LEAD = { length: 96, magic: 'edabeedb', type: 6 };
const HEADER_MAGIC = '8eade801';
/** Of one header: rpm's own limit is 256 MiB (lib/header.c), but no package comes near it. */
const LIMIT = 64 * 1024 * 1024;

/** What a package file holds. @throws Failure `not-found` or `invalid` */
export async function readRpmFile(path: string): Promise<LocalRpm> {
  const file = await openFile(path);
  try {
    const { name, version, architecture } = parseHeader(await readOwnHeader(file));
    const nevra = `${name}-${version}.${architecture}`;
    if (!isNevra(nevra)) throw new RangeError(`its name is ${quoted(nevra)}`);
    return { name: parsePackageName(name), nevra, sha256: await checksumOf(file) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure('invalid', `${quoted(path)} is not a package file that can be used: ${error.message}`, {
      cause: error,
      hint: 'Give the file of a binary package: NAME-VERSION-RELEASE.ARCH.rpm',
    });
  } finally {
    await file.close();
  }
}

/** SHA-256 of an open file, read from its beginning. */
export async function checksumOf(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    throw new Failure('not-found', `there is no file ${quoted(path)}`, {
      cause: error,
      hint: 'Give the path of a package file: NAME-VERSION-RELEASE.ARCH.rpm',
    });
  }
  throw new Failure('invalid', `${quoted(path)} is not a regular file`, {
    hint: 'Give the path of a package file: NAME-VERSION-RELEASE.ARCH.rpm',
  });
}

async function readOwnHeader(file: FileHandle): Promise<Buffer> {
  const lead = await readExactly(file, 0, LEAD.length);
  if (lead.toString('hex', 0, 4) !== LEAD.magic) throw new RangeError('it does not begin as one');
  if (lead.readUInt16BE(LEAD.type) !== 0) throw new RangeError('it is a source package');
  const signatures = await readHeader(file, LEAD.length);
  return readHeader(file, LEAD.length + 8 + Math.ceil(signatures.length / 8) * 8);
}

/** A header without its magic number and four reserved bytes. */
async function readHeader(file: FileHandle, position: number): Promise<Buffer> {
  const start = await readExactly(file, position, 16);
  if (start.toString('hex', 0, 4) !== HEADER_MAGIC) throw new RangeError('a header is missing');
  const length = 8 + 16 * start.readUInt32BE(8) + start.readUInt32BE(12);
  if (length > LIMIT) throw new RangeError('a header is too long');
  return readExactly(file, position + 8, length);
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw new RangeError('it is cut off');
  return buffer;
}
