import { mkdir, readlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { Runner } from '../system/run.ts';
import { isSame } from '../tree/drift.ts';
import {
  directoryWithin,
  listWithin,
  makeDirectoryWithin,
  removeWithin,
  statWithin,
} from '../tree/within.ts';
import type { BuildRequest } from './engine.ts';

/** What of an etc directory decides where RPM packages come from, for rpm-ostree. */
export const RPM_CONFIGURATION = [
  'yum.repos.d',
  'dnf',
  'pki/rpm-gpg',
  'pki/entitlement',
  'rhsm',
  'rpm-ostreed.conf',
] as const;

interface Parts {
  /** `etc` of the tree that packages are layered on. */
  tree: string;
  /** Directories and files below etc; a file's name ends in `.conf`. */
  names: readonly string[];
  /** A directory that does not exist yet. */
  into: string;
}

/**
 * The package sources that a guest will have on a tree, made before the tree is deployed: ostree's merge of /etc (what
 * the administrator changed, added or removed wins, everything else comes from the new tree;
 * merge_configuration_from() in ostree-sysroot-deploy.c), so that a guest whose sources nobody touched installs from
 * those of its new base. What a layered package brought (a repository of its own) is in no base, and stays: other layers
 * may come from there.
 *
 * Everything is copied first: the directory belongs to the guest's root user, and no symlink in it is followed.
 */
export async function makeConfiguration(
  runner: Runner,
  request: Pick<BuildRequest, 'pool' | 'configuration' | 'formerBase'>,
  { tree, names, into }: Parts,
): Promise<void> {
  await mkdir(into);
  await copyParts(runner, tree, into, names);
  if (request.configuration !== undefined) {
    const guest = `${into}.guest`;
    await mkdir(guest);
    await copyParts(runner, request.configuration, guest, names);
    const merge = await mergerOf(runner, request, guest, into);
    for (const name of names) await merge(name);
  }
  for (const name of names) {
    const found = await statWithin(into, name);
    const file = name.endsWith('.conf');
    if (found === undefined || (file ? found.isFile() : found.isDirectory())) continue;
    throw new Failure('invalid', `etc/${name} of the guest is not a ${file ? 'file' : 'directory'}`, {
      hint: `Make /etc/${name} a ${file ? 'file' : 'directory'} in the guest, then run the same command again.`,
    });
  }
}

/** Puts a configuration that was made into a deployment's etc, in the place of what is there. */
export async function putConfiguration(
  runner: Runner,
  from: string,
  deployment: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) await removeWithin(deployment, `etc/${name}`);
  await copyParts(runner, from, await makeDirectoryWithin(deployment, 'etc'), names);
}

/**
 * Removes the symlinks that do not stay in their directory: who reads a configuration in place, on the host, would follow
 * them to files of the host. Links from one name of a key to another stay.
 */
export async function dropOutwardLinks(directory: string, below = '.'): Promise<string[]> {
  const dropped: string[] = [];
  for (const name of await listWithin(directory, below)) {
    const path = below === '.' ? name : `${below}/${name}`;
    const found = await statWithin(directory, path);
    if (found?.isDirectory() === true) dropped.push(...(await dropOutwardLinks(directory, path)));
    else if (found?.isSymbolicLink() === true && /\/|^\.\.?$/.test(await readlink(`${directory}/${path}`))) {
      await removeWithin(directory, path);
      dropped.push(path);
    }
  }
  return dropped;
}

/** Gives a function that brings the guest's share of a path into the tree's. */
async function mergerOf(
  runner: Runner,
  request: Pick<BuildRequest, 'pool' | 'configuration' | 'formerBase'>,
  guest: string,
  into: string,
): Promise<(path: string) => Promise<void>> {
  const deployment = dirname(request.configuration ?? '');
  const pristine = `${deployment}/usr/etc`;
  // Without one it is no deployment, and all of it counts.
  const whole = (await directoryWithin(deployment, 'usr/etc')) === undefined;
  const { pool, formerBase } = request;
  const wasInBase = async (path: string): Promise<boolean> =>
    formerBase === undefined || pool.has(formerBase, `/usr/etc/${path}`);

  return async function merge(path: string): Promise<void> {
    const [before, now, next] = await Promise.all(
      [pristine, guest, into].map((root) => statWithin(root, path)),
    );
    if (before === undefined && now === undefined && !whole) return;
    if (!whole && now?.isDirectory() === true && (before ?? next)?.isDirectory() === true) {
      const names = [...(await listWithin(pristine, path)), ...(await listWithin(guest, path))];
      for (const name of new Set(names)) await merge(`${path}/${name}`);
      return;
    }
    if (
      before !== undefined &&
      now !== undefined &&
      (await isSame(`${pristine}/${path}`, `${guest}/${path}`))
    ) {
      if (next === undefined && !(await wasInBase(path))) await copyParts(runner, guest, into, [path]);
      return;
    }
    await removeWithin(into, path);
    await copyParts(runner, guest, into, [path]);
  };
}

/** Nothing is found behind a symlink in the middle of a path, which the kernel would follow. */
async function copyParts(runner: Runner, from: string, to: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if ((await statWithin(from, name)) === undefined) continue;
    const parent = await makeDirectoryWithin(to, dirname(name));
    await runner.run('cp', [
      ...['--archive', '--no-target-directory', '--'],
      ...[`${from}/${name}`, `${parent}/${basename(name)}`],
    ]);
  }
}
