import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories } from '../system/files.ts';
import { placesOf, sysrootOf } from './effects.ts';
import type { Executor } from './executors.ts';
import { removeLinks } from './host.ts';
import { readCurrent, readGenerations } from './observe.ts';
import { releasePair } from './pairs.ts';
import { removeTimer } from './timer.ts';

/** Removing a guest has no way back once it began: a plan that is cut off is finished by the next command. */

export const unlink: Executor<StepArguments['unlink']> = {
  async apply({ guest }, effects) {
    await removeTimer(effects, guest);
    await effects.systemd.disable(guest);
    await removeLinks(effects, guest);
    await rm(placesOf(effects, guest).definition, { force: true });
    return undefined;
  },
};

export const keepData: Executor<StepArguments['keep-data']> = {
  async apply({ guest, directory }, effects) {
    const places = placesOf(effects, guest);
    const sysroot = sysrootOf(effects, guest);
    await makeDirectories(directory, 0o700);
    const current = await readCurrent(places.current);
    const record = (await readGenerations(places.generations)).find((each) => each.number === current);
    const moves: [from: string, to: string][] = [[sysroot.variable(guest), join(directory, 'var')]];
    if (record) moves.push([`${sysroot.directory(guest, record.deployment)}/etc`, join(directory, 'etc')]);
    for (const [from, to] of moves) if (await exists(from)) await rename(from, to);
    return undefined;
  },
};

export const deleteGuest: Executor<StepArguments['delete-guest']> = {
  async apply({ guest }, effects) {
    const places = placesOf(effects, guest);
    await effects.layering.clean(places.scratch);
    // First out of the list of guests, then away: what is half deleted is no guest any more.
    await rm(places.current, { force: true });
    await releasePair(effects, guest);
    await rm(places.root, { recursive: true, force: true });
    await rm(join(effects.paths.state, 'cache', guest), { recursive: true, force: true });
    for (const ref of await effects.pool.refNames()) {
      if (ref.startsWith(`guest/${guest}/`)) await effects.pool.deleteRef(ref);
    }
    return undefined;
  },
};
