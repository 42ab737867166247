import { readFile, writeFile } from 'node:fs/promises';
import { isErrno } from './files.ts';

const INSTANCES = '/proc/sys/fs/inotify/max_user_instances';

/** What the host itself needs, and what each guest does: its init, journal, bus and network services take about 8. */
const HOST = 64;
const GUEST = 32;

/** How many inotify instances a host with so many guests should allow. */
export function inotifyInstances(guests: number): number {
  return HOST + GUEST * guests;
}

/**
 * Makes room for the inotify instances of all guests. They all count as those of the host's root, of which Linux allows
 * 128 (inotify(7), fs.inotify.max_user_instances; user namespaces are charged to the user who made them,
 * inc_ucount() in kernel/ucount.c): from about 16 guests on, the next one's init dies of "Too many open files".
 * The limit is raised as far as the number of guests needs it, and never lowered; it is Linux's again at the next boot.
 */
export async function raiseInotifyLimit(guests: number, path = INSTANCES): Promise<void> {
  const wanted = inotifyInstances(guests);
  try {
    if (Number(await readFile(path, 'utf8')) >= wanted) return;
    await writeFile(path, `${wanted}\n`);
  } catch (error) {
    // In a container of its own, guestree may not change it; few guests run without.
    if (!isErrno(error, 'EROFS') && !isErrno(error, 'EACCES') && !isErrno(error, 'EPERM')) throw error;
  }
}
