import type { Effects } from '../apply/effects.ts';
import type { PackageChange } from '../apply/layering.ts';
import { placesOf, sharingPool } from '../apply/effects.ts';
import { currentGeneration, newestGeneration, type GuestState } from '../plan/state.ts';
import { treeRef } from '../model/paths.ts';

/**
 * What an upgrade of this guest would change, compared with its newest generation, which may wait for a switch or have
 * failed. Looks only: nothing is built or kept.
 */
export async function pendingChanges(
  effects: Effects,
  state: GuestState,
): Promise<PackageChange[] | 'unknown'> {
  const places = placesOf(effects, state.name);
  // Not the scratch directory of builds: looking takes no lock with --dry-run.
  const scratch = `${places.scratch}-look-${process.pid}`;
  const current = currentGeneration(state);
  const newest = newestGeneration(state);
  try {
    const request = {
      guest: state.name,
      engine: state.definition.engine,
      source: state.definition.source,
      base: newest.base,
      onto: await effects.pool.require(treeRef(state.name, newest.number)),
      overrides: newest.overrides,
      rpms: places.rpms,
      subject: `${state.name}, look for upgrades`,
      configuration: `${places.current}/root/etc`,
      formerBase: current.base,
      scratch,
      ids: places.ids,
      mirror: state.definition.source.kind === 'debian' ? state.definition.source.mirror : undefined,
      detail: (line: string): void => effects.progress.detail(line),
      warning: (text: string): void => effects.progress.warning(text),
    };
    return await sharingPool(effects, () => effects.layering.pending(request));
  } finally {
    await effects.layering.clean(scratch);
  }
}
