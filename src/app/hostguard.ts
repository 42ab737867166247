import type { Effects } from '../apply/effects.ts';
import { HOST_PLACES, observeHost } from '../guard/host.ts';
import { applyRepair, describeRepair, planRepairs, type Repair } from '../guard/repair.ts';
import { Failure } from '../model/failure.ts';
import { acquireLock } from '../system/lock.ts';

/** What mends the host as it is now. */
export async function hostRepairs(effects: Effects): Promise<Repair[]> {
  return planRepairs(await observeHost(), await effects.window.isOpen());
}

/**
 * Applies repairs until none is left: giving back a window may show another one. Holds the window's lock.
 * @param tell called with each repair before it is done
 */
export async function repairHost(effects: Effects, tell: (sentence: string) => void): Promise<void> {
  const unlock = await acquireLock(`${effects.paths.locks}/.window`, 'the host’s staged deployment');
  try {
    const { runner, window, pool } = effects;
    for (let round = 0; round < 4; round++) {
      const repairs = await hostRepairs(effects);
      if (repairs.length === 0) return;
      for (const repair of repairs) {
        tell(describeRepair(repair));
        await applyRepair(repair, { runner, window, pool, places: HOST_PLACES });
      }
    }
    throw new Failure('guard', 'the host needs the same repair again and again', {
      hint: 'See: guestree guard, and ostree admin status',
    });
  } finally {
    await unlock();
  }
}
