import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestName } from '../model/names.ts';
import { hasOwnTimer } from '../model/schedule.ts';
import { exists, readOptional, writeFileAtomic } from '../system/files.ts';
import { renderTimerDropIn, upgradeTimer } from '../units/upgrade.ts';
import { placesOf, type Effects } from './effects.ts';
import { readDefinition } from './observe.ts';

/** Where systemd keeps when a timer with Persistent= fired last (systemd.timer(5)). */
const STAMPS = '/var/lib/systemd/timers';

/**
 * Brings the guest's timer in line with [Upgrade] of its definition. The service manager must be reloaded then.
 * @returns whether anything was changed
 * @throws Failure `invalid` if the definition's times are none for systemd
 */
export async function ensureTimer(effects: Effects, guest: GuestName): Promise<boolean> {
  const { upgrade } = await readDefinition(effects.paths, guest);
  const directory = placesOf(effects, guest).timerDropInDirectory;
  const path = join(directory, '50-guestree.conf');
  const present = await readOptional(path);
  if (!hasOwnTimer(upgrade)) {
    if (present !== undefined) await removeDropIn(directory);
    return present !== undefined;
  }
  const text = renderTimerDropIn(guest, upgrade);
  if (present === text) return false;
  for (const event of upgrade.onCalendar) await effects.systemd.requireValid('calendar', event);
  await effects.systemd.requireValid('timespan', upgrade.randomizedDelaySec);
  await writeFileAtomic(path, text);
  return true;
}

/** Ends and forgets the timer of a guest that is removed. */
export async function removeTimer(effects: Effects, guest: GuestName): Promise<void> {
  const timer = upgradeTimer(guest);
  await effects.systemd.stopTimer(timer);
  if ((await effects.systemd.enabledUnits()).has(timer)) await effects.systemd.disableUnit(timer);
  // With what the administrator may have put there for this guest.
  await rm(placesOf(effects, guest).timerDropInDirectory, { recursive: true, force: true });
  await rm(join(STAMPS, `stamp-${timer}`), { force: true });
}

/** Takes away what guestree wrote; drop-ins of the administrator stay. */
async function removeDropIn(directory: string): Promise<void> {
  await rm(join(directory, '50-guestree.conf'), { force: true });
  if ((await exists(directory)) && (await readdir(directory)).length === 0)
    await rm(directory, { recursive: true, force: true });
}
