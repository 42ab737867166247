import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { readTable } from './sqlite.ts';
import { statWithin } from './within.ts';

/** A package of an rpm database. */
export interface RpmPackage {
  name: string;
  /** `VERSION-RELEASE`, or `EPOCH:VERSION-RELEASE`. */
  version: string;
  architecture: string;
  /** Absolute paths of everything that it owns, directories too. */
  files: () => string[];
}

/**
 * Where rpm's database may lie: rpm-ostree's place, that of Fedora since 36, and that of rpm's own default macros.
 * toTree() moves it out of /var.
 */
export const RPM_DATABASES = ['usr/share/rpm', 'usr/lib/sysimage/rpm', 'var/lib/rpm'] as const;

export const RPM_DATABASE_FILE = 'rpmdb.sqlite';

/** The directory of a root's rpm database; one that is only a symlink to another does not count. */
export async function findRpmDatabase(root: string): Promise<string | undefined> {
  for (const directory of RPM_DATABASES) {
    if ((await statWithin(root, `${directory}/${RPM_DATABASE_FILE}`))?.isFile() === true) return directory;
  }
  return undefined;
}

/**
 * The packages of a root file system; undefined without an rpm database. `known` is where it lies, if that is known.
 * The file is read as it is: a tree of a guest
 * can be listed without starting a program out of it, or rpm on a host that may have none.
 */
export async function readRpmDatabase(root: string, known?: string): Promise<RpmPackage[] | undefined> {
  const directory = known ?? (await findRpmDatabase(root));
  if (directory === undefined) return undefined;
  const path = `${directory}/${RPM_DATABASE_FILE}`;
  const pending = await statWithin(root, `${path}-wal`);
  if ((pending?.size ?? 0) > 0) {
    throw new Failure('unsupported', `the rpm database /${path} was not closed: it has changes in its log`, {
      hint: 'Run "rpm --query --all" once in that system, which finishes them, then run the same command again.',
    });
  }
  const file = await open(`${root}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return parseRpmDatabase(await file.readFile());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure('invalid', `the rpm database /${path} is damaged: ${error.message}`, {
      cause: error,
      hint: 'Rebuild it in that system with: rpm --rebuilddb',
    });
  } finally {
    await file.close();
  }
}

/** Name → version; further packages of a name (several kernels, another architecture) are called NAME.ARCH. */
export function versionsOf(packages: readonly RpmPackage[]): Map<string, string> {
  const versions = new Map<string, string>();
  for (const { name, version, architecture } of packages) {
    const names = [name, `${name}.${architecture}`, `${name}-${version}.${architecture}`];
    // Imported keys are recorded like packages.
    if (name !== 'gpg-pubkey') versions.set(names.find((each) => !versions.has(each)) ?? name, version);
  }
  return versions;
}

/** The table `Packages` holds one header for each package (lib/backend/sqlite.c of rpm). */
export function parseRpmDatabase(file: Buffer): RpmPackage[] {
  return readTable(file, 'Packages').flatMap(([, blob]) =>
    Buffer.isBuffer(blob) ? [parseHeader(blob)] : [],
  );
}

/** Numbers of include/rpm/rpmtag.h. */
const TAG = { name: 1000, version: 1001, release: 1002, epoch: 1003, arch: 1022 };
const FILES = { indexes: 1116, bases: 1117, directories: 1118 };

/**
 * A header: the number of entries and the length of the data, then 16 bytes an entry (tag, type, offset, count), then
 * the data (rpm's docs/manual/format_header.md; in the database without its magic number).
 */
export function parseHeader(blob: Buffer): RpmPackage {
  const entries = new Map<number, { type: number; offset: number; count: number }>();
  const length = blob.readUInt32BE(0);
  const data = blob.subarray(8 + 16 * length);
  if (8 + 16 * length > blob.length) throw new RangeError('a header is longer than its row');
  for (let index = 0; index < length; index++) {
    const [tag, type, offset, count] = [0, 4, 8, 12].map((at) => blob.readUInt32BE(8 + 16 * index + at));
    entries.set(tag ?? 0, { type: type ?? 0, offset: offset ?? 0, count: count ?? 0 });
  }
  const strings = (tag: number): string[] => {
    const { offset, count } = entries.get(tag) ?? { offset: 0, count: 0 };
    const found: string[] = [];
    for (let start = offset; found.length < count;) {
      const end = data.indexOf(0, start);
      if (end < 0) throw new RangeError('a text of a header has no end');
      found.push(data.toString('utf8', start, end));
      start = end + 1;
    }
    return found;
  };
  const numbers = (tag: number): number[] => {
    const { offset, count } = entries.get(tag) ?? { offset: 0, count: 0 };
    if (offset + 4 * count > data.length) throw new RangeError('a number of a header is cut');
    return Array.from({ length: count }, (_, index) => data.readUInt32BE(offset + 4 * index));
  };
  const [epoch] = numbers(TAG.epoch);
  const [name = '', version = '', release = '', architecture = ''] = [
    TAG.name,
    TAG.version,
    TAG.release,
    TAG.arch,
  ].map((tag) => strings(tag)[0]);
  return {
    name,
    version: `${epoch === undefined ? '' : `${epoch}:`}${version}-${release}`,
    architecture,
    files: () => {
      const directories = strings(FILES.directories);
      const indexes = numbers(FILES.indexes);
      return strings(FILES.bases).map((base, index) => `${directories[indexes[index] ?? 0] ?? '/'}${base}`);
    },
  };
}
