import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';

/** What differs between an overlay's merged view and its lower directory; paths relative to the root. */
export interface Changes {
  /**
   * Directories, and files that the kernel copied up from the lower directory; a directory before what is in it. They
   * may carry overlay attributes and have to be copied through the merged view, which hides those.
   */
  copied: string[];
  /** Files and links that were created in the upper directory, and can be taken out of it by a rename. */
  created: string[];
  /** What has to be removed from the lower directory first: deleted things, and things that changed their type. */
  removed: string[];
  warnings: string[];
}

interface Layers {
  upper: string;
  lower: string;
  merged: string;
}

/**
 * Walks the upper directory only, so it costs in proportion to the change. Deletions are found by comparing the lower
 * directory with the merged one: whiteouts need no special file type then, and opaque directories no extended
 * attribute, which Node cannot read (Documentation/filesystems/overlayfs.rst has both).
 */
export async function observeChanges(layers: Layers): Promise<Changes> {
  const changes: Changes = { copied: [], created: [], removed: [], warnings: [] };
  await observeDirectory(layers, '', true, changes);
  return changes;
}

async function observeDirectory(
  layers: Layers,
  path: string,
  inLower: boolean,
  changes: Changes,
): Promise<void> {
  const merged = await entriesOf(`${layers.merged}/${path}`);
  const lower = inLower ? await entriesOf(`${layers.lower}/${path}`) : new Map<string, Dirent>();
  for (const [name, entry] of lower) {
    const now = merged.get(name);
    if (now === undefined || kindOf(now) !== kindOf(entry)) changes.removed.push(join(path, name));
  }
  for (const name of (await entriesOf(`${layers.upper}/${path}`)).keys()) {
    const entry = merged.get(name);
    // In the upper directory and not in the merged one: a whiteout.
    if (entry === undefined) continue;
    const below = join(path, name);
    if (entry.isDirectory()) {
      changes.copied.push(below);
      await observeDirectory(layers, below, lower.get(name)?.isDirectory() === true, changes);
    } else if (entry.isFile() || entry.isSymbolicLink() || (entry.isFIFO() && below.startsWith('var/'))) {
      // A file that was copied up keeps the inode number of the lower one in the merged view
      // (overlayfs.rst, "Inode properties", for layers on one file system).
      const [shown, own] = await Promise.all([
        lstat(`${layers.merged}/${below}`),
        lstat(`${layers.upper}/${below}`),
      ]);
      (shown.ino === own.ino ? changes.created : changes.copied).push(below);
    } else if (!entry.isSocket()) {
      const { rdev } = await lstat(`${layers.merged}/${below}`);
      changes.warnings.push(`/${below} is a special file (device ${rdev}) and was left out of the tree.`);
    }
  }
}

async function entriesOf(directory: string): Promise<Map<string, Dirent>> {
  return new Map((await readdir(directory, { withFileTypes: true })).map((entry) => [entry.name, entry]));
}

function kindOf(entry: Dirent): string {
  return entry.isDirectory()
    ? 'directory'
    : entry.isSymbolicLink()
      ? 'link'
      : entry.isFile()
        ? 'file'
        : 'other';
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
