import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';

/** What differs between an overlay's merged view and its lower directory; paths relative to the root. */
export interface Changes {
  /** Files, links, fifos and directories that are new or changed; a directory before what is in it. */
  written: string[];
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
  const changes: Changes = { written: [], removed: [], warnings: [] };
  await observeDirectory(layers, '', changes);
  return changes;
}

async function observeDirectory(layers: Layers, path: string, changes: Changes): Promise<void> {
  const merged = await entriesOf(`${layers.merged}/${path}`);
  const lower = await entriesOf(`${layers.lower}/${path}`);
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
      changes.written.push(below);
      await observeDirectory(layers, below, changes);
    } else if (entry.isFile() || entry.isSymbolicLink()) {
      changes.written.push(below);
    } else if (entry.isFIFO() && below.startsWith('var/')) {
      changes.written.push(below);
    } else if (!entry.isSocket()) {
      const { rdev } = await lstat(`${layers.merged}/${below}`);
      changes.warnings.push(`/${below} is a special file (device ${rdev}) and was left out of the tree.`);
    }
  }
}

async function entriesOf(directory: string): Promise<Map<string, Dirent>> {
  try {
    return new Map((await readdir(directory, { withFileTypes: true })).map((entry) => [entry.name, entry]));
  } catch (error) {
    // Not in this layer, or no directory there.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return new Map();
    throw error;
  }
}

function kindOf(entry: Dirent): string {
  return entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'link' : entry.isFile() ? 'file' : 'other';
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
