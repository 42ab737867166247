import { treeRef, baseRef } from '../model/paths.ts';
import type { StepArguments } from '../plan/step.ts';
import { inhibitShutdown } from '../system/inhibit.ts';
import { acquireLock } from '../system/lock.ts';
import { GUARD_UNIT } from '../units/host.ts';
import type { Effects } from './effects.ts';
import type { Executor, Run } from './executors.ts';

/**
 * The guard window as steps. Whatever was reached, undoing the first one gives the host back what it had, so the others
 * need no undo of their own.
 */
export const openWindow: Executor<StepArguments['open-window']> = {
  async apply({ guest }, effects, run) {
    await hold(effects, run);
    // Started before anything is touched: if we are killed, it mends the host at shutdown.
    await effects.systemd.startUnit(GUARD_UNIT);
    await effects.window.open(guest);
    return undefined;
  },
  async undo(_args, effects, run) {
    await hold(effects, run);
    await effects.window.restore();
    await letGo(effects, run);
  },
};

export const seedWindow: Executor<StepArguments['seed-window']> = {
  async apply({ guest, generation, onto }, effects) {
    const ref = onto === 'base' ? baseRef(guest, generation) : treeRef(guest, onto);
    await effects.window.seed(effects.pool.path, await effects.pool.require(ref));
    return undefined;
  },
};

export const clearWindow: Executor<StepArguments['clear-window']> = {
  async apply(_args, effects) {
    await effects.window.clear();
    return undefined;
  },
};

export const restageHost: Executor<StepArguments['restage-host']> = {
  async apply(_args, effects) {
    await effects.window.restage();
    return undefined;
  },
};

export const closeWindow: Executor<StepArguments['close-window']> = {
  async apply(_args, effects, run) {
    await effects.window.close();
    await letGo(effects, run);
    return undefined;
  },
};

/** One window at a time for the whole host; the lock and the inhibitor die with this process. */
async function hold(effects: Effects, run: Run): Promise<void> {
  if (run.window !== undefined) return;
  const unlock = await acquireLock(`${effects.paths.locks}/.window`, 'the host’s staged deployment', true);
  const release = await inhibitShutdown('packages are layered by the host for a guest');
  if (release === undefined) {
    effects.progress.warning(
      'No shutdown lock can be had from logind; a shutdown now is mended while it goes on, by a unit.',
    );
  }
  run.window = async () => {
    await release?.();
    await unlock();
  };
}

async function letGo(effects: Effects, run: Run): Promise<void> {
  // At shutdown the unit is stopped by the shutdown itself, and a job of ours could not be had.
  await effects.systemd.stopUnit(GUARD_UNIT);
  await run.window?.();
  delete run.window;
}
