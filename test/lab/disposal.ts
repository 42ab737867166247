import { spawnSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, removal, removeTree } from './cache.ts';
import { removeCgroup, removeCgroupNow } from './cgroup.ts';
import { hold } from './lock.ts';

/** Ends a lab without waiting, for the exit of this process. */
type Ending = () => void;

const endings = new Map<string, Ending>();
let registered = false;

/** Where labs have their directories: the same file system as the cached repositories, so that objects are hardlinked. */
export function labsDirectory(): string {
  return path.join(cacheDirectory(), 'labs');
}

/** Name of the control group of a lab. */
export function cgroupName(id: string): string {
  return `guestree-${id}`;
}

/** Makes sure that a lab ends with this process: at exit, on SIGINT and on SIGTERM. */
export function endWithProcess(id: string, end: Ending): void {
  endings.set(id, end);
  if (registered) return;
  registered = true;
  process.on('exit', endAll);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => process.exit(code));
  }
}

export function ended(id: string): void {
  endings.delete(id);
}

function endAll(): void {
  for (const [id, end] of endings) {
    end();
    removeCgroupNow(cgroupName(id));
    for (const [file = '', ...args] of removal(path.join(labsDirectory(), id))) {
      spawnSync(file, args, { stdio: 'ignore' });
    }
  }
}

/**
 * Makes the directory of a new lab and runs `begin`, which has to take the lock file `lock` in it for the lab's lifetime;
 * before that it removes what labs left behind whose process got SIGKILL (their processes died with it; files are left).
 */
export async function beginLab<T>(id: string, begin: (directory: string) => Promise<T>): Promise<T> {
  const home = labsDirectory();
  await mkdir(home, { recursive: true });
  // One at a time, so that no new lab is taken for a dead one before it has its lock.
  const turn = await hold(path.join(cacheDirectory(), 'labs.lock'));
  try {
    for (const old of await readdir(home)) await sweep(old);
    const directory = path.join(home, id);
    await mkdir(directory);
    return await begin(directory);
  } finally {
    await turn.release();
  }
}

async function sweep(id: string): Promise<void> {
  const directory = path.join(labsDirectory(), id);
  const lock = await hold(path.join(directory, 'lock'), false).catch(() => undefined);
  if (lock === undefined) return;
  await removeTree(directory);
  await lock.release();
  await removeCgroup(cgroupName(id));
}
