import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { makeDirectories } from '../system/files.ts';
import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import { CommandFailure, type Runner } from '../system/run.ts';
import { fromTree } from '../tree/layout.ts';
import { cleanScratch, unmountBelow } from '../tree/scratch.ts';
import { observeChanges } from './changes.ts';

/**
 * A place where packages can be installed without touching the pool: a hardlink checkout of a tree, with an overlay
 * over it that takes all writes. Everything is below one scratch directory, so that after a power cut or a SIGKILL
 * `cleanScratch()` finds all of it.
 */
export interface BuildRoot {
  /** The checkout in normal layout; hardlinks into the pool, never written to. */
  lower: string;
  /** The overlay: what the package manager sees. */
  merged: string;
  /** The scratch directory itself, for files that are shown to the build. */
  scratch: string;
}

/** Makes a build root for a tree, gives it to `use`, and removes every trace of it, whatever happens. */
export async function withBuildRoot<T>(
  runner: Runner,
  options: { pool: Repo; tree: Commit; scratch: string },
  use: (root: BuildRoot) => Promise<T>,
): Promise<T> {
  const { pool, tree, scratch } = options;
  await cleanScratch(runner, scratch);
  await makeDirectories(scratch, 0o700);
  const root: BuildRoot = { lower: `${scratch}/lower`, merged: `${scratch}/merged`, scratch };
  try {
    await pool.checkoutHardlinks(tree, root.lower);
    await fromTree(root.lower);
    for (const name of ['upper', 'work', 'merged']) await mkdir(`${scratch}/${name}`);
    // The root of the merged view has the mode of the upper directory, and apt's own user has to get through it.
    await chmod(`${scratch}/upper`, 0o755);
    await mountOverlay(runner, scratch);
    return await use(root);
  } finally {
    await cleanScratch(runner, scratch);
  }
}

/**
 * `volatile` leaves out every sync of the overlay (Documentation/filesystems/overlayfs.rst; since Linux 5.10): the
 * build root does not survive a power cut anyway, what is committed is synced by ostree. `index`, `metacopy` and
 * `redirect_dir` are off, so that the upper directory holds whole files under their own names. Relative paths keep
 * `:` and `,` of the state directory's name out of the option's syntax.
 */
async function mountOverlay(runner: Runner, scratch: string): Promise<void> {
  const base = 'lowerdir=lower,upperdir=upper,workdir=work,index=off,metacopy=off,redirect_dir=off';
  const mount = async (options: string): Promise<void> => {
    await runner.run('mount', ['-t', 'overlay', '-o', options, 'guestree-build', 'merged'], { cwd: scratch });
  };
  try {
    await mount(`${base},volatile`);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    try {
      await mount(base);
    } catch (second) {
      throw new Failure('unsupported', `no overlay can be mounted below ${scratch}`, {
        cause: second,
        hint: 'The kernel needs overlayfs, and the state directory a file system that can hold its upper layer (ext4, xfs with ftype=1, btrfs).',
      });
    }
  }
}

/**
 * Brings what was written to the overlay into the checkout, so that a commit of the checkout finds every unchanged
 * file to be a hardlink of the pool's. The overlay is gone afterwards.
 * @returns warnings about what cannot be part of a tree
 */
export async function settle(runner: Runner, root: BuildRoot): Promise<string[]> {
  const { lower, merged, scratch } = root;
  const changes = await observeChanges({ upper: `${scratch}/upper`, lower, merged });
  for (const path of changes.removed) await rm(`${lower}/${path}`, { recursive: true, force: true });
  const archive = `${scratch}/changes.tar`;
  const attributes = [
    '--acls',
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-include=security.*',
    '--numeric-owner',
  ];
  await writeFile(`${scratch}/changes.list`, changes.copied.map((path) => `./${path}\0`).join(''));
  await runner.run('tar', [
    ...['--create', `--file=${archive}`, `--directory=${merged}`, '--no-recursion', '--null'],
    ...[...attributes, '--verbatim-files-from', `--files-from=${scratch}/changes.list`],
  ]);
  await unmountBelow(runner, scratch);
  await runner.run('tar', [
    '--extract',
    `--file=${archive}`,
    `--directory=${lower}`,
    '--preserve-permissions',
    ...attributes,
  ]);
  for (const path of changes.created) await rename(`${scratch}/upper/${path}`, `${lower}/${path}`);
  return changes.warnings;
}
