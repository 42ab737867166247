import type { GuestName } from '../model/names.ts';
import { treeRef } from '../model/paths.ts';
import { parseQuarantines, renderQuarantines, type Quarantine } from '../model/quarantine.ts';
import { readOptional, writeFileAtomic } from '../system/files.ts';
import { placesOf, type Effects } from './effects.ts';

/** The trees of a guest that failed, the oldest first. */
export async function readQuarantines(path: string): Promise<Quarantine[]> {
  const text = await readOptional(path);
  return text === undefined ? [] : parseQuarantines(text, path);
}

export async function writeQuarantines(path: string, quarantines: readonly Quarantine[]): Promise<void> {
  await writeFileAtomic(path, renderQuarantines(quarantines), 0o600);
}

/** Puts the tree of a generation into quarantine; one that is there already gets the new reason. */
export async function quarantine(
  effects: Effects,
  guest: GuestName,
  { generation, phase, why }: Pick<Quarantine, 'generation' | 'phase' | 'why'>,
): Promise<void> {
  const path = placesOf(effects, guest).quarantine;
  const tree = await effects.pool.require(treeRef(guest, generation));
  const content = await effects.pool.contentChecksum(tree);
  const others = (await readQuarantines(path)).filter((each) => each.content !== content);
  const time = effects.now().toISOString();
  await writeQuarantines(path, [...others, { time, generation, tree, content, phase, why, seen: false }]);
}

/** A tree that passed is no longer in quarantine, and older failures are history: they have been seen. */
export async function absolve(effects: Effects, guest: GuestName, generation: number): Promise<void> {
  const path = placesOf(effects, guest).quarantine;
  const all = await readQuarantines(path);
  if (all.length === 0) return;
  const content = await effects.pool.contentChecksum(await effects.pool.require(treeRef(guest, generation)));
  const left = all.filter((each) => each.content !== content).map((each) => ({ ...each, seen: true }));
  await writeQuarantines(path, left);
}

/** Whether a tree failed before. */
export async function isQuarantined(effects: Effects, guest: GuestName, content: string): Promise<boolean> {
  return (await readQuarantines(placesOf(effects, guest).quarantine)).some(
    (each) => each.content === content,
  );
}
