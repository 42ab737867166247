import { readdir } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { isGuestName, type GuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import { exists, readOptional } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import type { Effects } from './effects.ts';

/**
 * Scratch directories that belong to no plan, because they are made before one is: to look for upgrades of a guest
 * (`NAME-look-PID`), and to import a base (`.base`). A process that was killed in the middle leaves them; the journal does
 * not know of them.
 */
export async function removeStaleScratch(effects: Effects, guest?: GuestName): Promise<void> {
  const directory = `${effects.paths.state}/scratch`;
  if (!(await exists(directory))) return;
  for (const entry of await readdir(directory)) {
    const path = `${directory}/${entry}`;
    const [, name = entry, pid] = /^(.+)-look-([1-9][0-9]*)$/.exec(entry) ?? [];
    if (guest !== undefined && name !== guest) continue;
    if (pid !== undefined) {
      // Looking takes no lock with --dry-run: the process itself tells whether it is still there.
      if (!(await isGuestree(pid))) await effects.layering.clean(path);
    } else if (guest === undefined && entry === '.base') {
      await whenFree(`${effects.paths.locks}/.base`, () => effects.layering.clean(path));
    } else if (guest === undefined && isGuestName(entry)) {
      await whenFree(guestPaths(effects.paths, entry).lock, () => effects.layering.clean(path));
    }
  }
}

/** Whether a process of this program has that number; a number is given to others later (proc_pid_cmdline(5)). */
async function isGuestree(pid: string): Promise<boolean> {
  return (await readOptional(`/proc/${pid}/cmdline`))?.includes('guestree') === true;
}

/** Does something with a lock held; undefined if somebody else has it, who then sees to what is there. */
export async function whenFree<T>(lock: string, work: () => Promise<T>): Promise<T | undefined> {
  let release: () => Promise<void>;
  try {
    release = await acquireLock(lock, 'it');
  } catch (error) {
    if (error instanceof Failure && error.reason === 'locked') return undefined;
    throw error;
  }
  try {
    return await work();
  } finally {
    await release();
  }
}
