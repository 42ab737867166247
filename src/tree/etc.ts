import { basename, dirname } from 'node:path';
import type { Runner } from '../system/run.ts';
import { observeDrift } from './drift.ts';
import { makeDirectoryWithin, readWithin, removeWithin, statWithin } from './within.ts';

/** Belongs to the machine and not to its configuration; guestree keeps it beside the deployments. */
const MACHINE_ID = 'machine-id';

/**
 * Lays what differs between /etc and usr/etc of one deployment over /etc of another: what was changed or added is
 * copied with owner, mode and attributes, what was removed is removed. As in ostree's own merge
 * (ostree-sysroot-deploy.c, merge_configuration_from()) a local change always wins. A deployment that was staged and
 * never finished has no local changes.
 * @returns whether the old deployment has an /etc at all
 */
export async function overlayEtc(runner: Runner, old: string, fresh: string): Promise<boolean> {
  if ((await statWithin(old, 'etc'))?.isDirectory() !== true) return false;
  for (const { path, change } of await observeDrift(old)) {
    if (path === MACHINE_ID) continue;
    await removeWithin(fresh, `etc/${path}`);
    if (change === 'removed') continue;
    const parent = await makeDirectoryWithin(fresh, dirname(`etc/${path}`));
    await runner.run('cp', [
      ...['--archive', '--reflink=auto', '--no-target-directory', '--'],
      ...[`${old}/etc/${path}`, `${parent}/${basename(path)}`],
    ]);
  }
  return true;
}

/** The machine id of a root, machine-id(5); undefined if it was never set. */
export async function readMachineId(root: string): Promise<string | undefined> {
  return parseMachineId((await readWithin(root, `etc/${MACHINE_ID}`, 64)) ?? '');
}

/** 32 lower-case hexadecimal digits that are not all zero; `uninitialized` and an empty file stand for none. */
export function parseMachineId(text: string): string | undefined {
  const id = text.replace(/\n$/, '');
  return /^[0-9a-f]{32}$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}
