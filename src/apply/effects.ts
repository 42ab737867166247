import type { GuardWindow } from '../guard/window.ts';
import type { GuestName } from '../model/names.ts';
import { guestPaths, sharedLocks, type GuestPaths, type Paths } from '../model/paths.ts';
import { acquireLock } from '../system/lock.ts';
import { type Repo, Sysroot } from '../system/ostree.ts';
import type { Runner } from '../system/run.ts';
import type { Systemd } from '../system/systemd.ts';
import type { Layering } from './layering.ts';

/** Everything that executors may touch, passed in and never imported, so that tests can use another place. */
export interface Effects {
  paths: Paths;
  runner: Runner;
  systemd: Systemd;
  pool: Repo;
  layering: Layering;
  window: GuardWindow;
  now: () => Date;
  /** Argv of this program, for units that call it. */
  program: readonly string[];
  bootId: string;
  ostreeBooted: boolean;
  progress: Progress;
  /** Aborted when the user asks to stop (SIGINT, SIGTERM, SIGHUP): looked at between steps, and within long ones. */
  interruption: AbortSignal;
}

export interface Progress {
  /** A step begins. */
  step(index: number, count: number, guest: string | undefined, sentence: string): void;
  /** Something that happens within a step. */
  detail(line: string): void;
  /** Something that the user should know afterwards. */
  warning(text: string): void;
}

export function placesOf(effects: Effects, guest: GuestName): GuestPaths {
  return guestPaths(effects.paths, guest);
}

/** Makes commits in the pool: nothing that has no ref yet is deleted meanwhile. Others may do so at the same time. */
export async function sharingPool<T>(effects: Effects, work: () => Promise<T>): Promise<T> {
  const release = await acquireLock(sharedLocks(effects.paths).pool, 'the pool', true, true);
  try {
    return await work();
  } finally {
    await release();
  }
}

export function sysrootOf(effects: Effects, guest: GuestName): Sysroot {
  return new Sysroot(effects.runner, placesOf(effects, guest).sysroot);
}
