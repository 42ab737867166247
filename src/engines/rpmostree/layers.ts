import { isDeepStrictEqual } from 'node:util';
import type { Commit } from '../../model/names.ts';
import type { RpmOstreeOperation } from '../../system/rpmostree.ts';
import type { BuildRequest, BuildTarget, Engine, ReplacingRpm } from '../engine.ts';

type Packages = Pick<Engine, 'packages'>;

/** What makes a guest's tree of its base: calls of rpm-ostree, each on what the one before staged. */
export interface LayerWork {
  operations: RpmOstreeOperation[];
  /** Package files that the operations name. */
  files: readonly ReplacingRpm[];
  warnings: string[];
}

/**
 * Overrides come first and in one transaction: a layered package may need that something of the base is gone or newer,
 * and what replaces a package may need that another one is gone. What the base does not have is left out, as rpm-ostree
 * does it with "inactive" overrides (finalize_overrides() in rpmostree-sysroot-upgrader.cxx).
 * @param install the requested packages, in rpm-ostree's words
 * @param place where rpm-ostree sees a package file
 */
export async function planLayers(
  rpm: Packages,
  { pool, base, overrides }: Pick<BuildRequest, 'pool' | 'base' | 'overrides'>,
  install: readonly string[],
  place: (file: ReplacingRpm) => string,
): Promise<LayerWork> {
  const { removed, replaced } = overrides ?? { removed: [], replaced: [] };
  const known =
    removed.length + replaced.length === 0 ? new Map<string, string>() : await rpm.packages(pool, base);
  const remove = removed.filter((name) => known.has(name));
  const files = replaced.filter(({ name }) => known.has(name));
  const idle = [...removed, ...replaced.map(({ name }) => name)].filter((name) => !known.has(name));
  return {
    operations: [
      ...(files.length > 0
        ? [{ verb: 'override-replace', files: files.map(place), remove } as const]
        : remove.length > 0
          ? [{ verb: 'override-remove', packages: remove } as const]
          : []),
      ...(install.length > 0 ? [{ verb: 'install', packages: install } as const] : []),
    ],
    files,
    warnings:
      idle.length === 0 ? [] : [`The base does not have ${idle.join(', ')}: the override is not in use.`],
  };
}

/**
 * The tree that is to be replaced, if nothing about it is new. rpm-ostree writes a new package database at each layering,
 * so equal packages on an equal base never give an equal tree. Layered commits have their base as their parent.
 */
export async function sameAsPrevious(
  rpm: Packages,
  { pool, previous, base }: BuildRequest & BuildTarget,
  fresh: Commit,
): Promise<Commit | undefined> {
  if (previous === undefined) return undefined;
  const before = await pool.resolve(`${previous}^`);
  if (before === undefined || (await pool.contentChecksum(before)) !== (await pool.contentChecksum(base)))
    return undefined;
  const [old, now] = [await rpm.packages(pool, previous), await rpm.packages(pool, fresh)];
  return isDeepStrictEqual([...old].sort(), [...now].sort()) ? previous : undefined;
}
