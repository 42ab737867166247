import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import { exists, isErrno, readLinkOptional } from '../system/files.ts';
import { Repo } from '../system/ostree.ts';
import type { Runner } from '../system/run.ts';

/**
 * What guestree must leave as it is on an ostree-booted host, each part under a name that a message can show:
 * boot loader entries, kernels below /boot/ostree, the staged deployment with its lock, the deployments and the refs.
 */
export type Fingerprint = ReadonlyMap<string, string>;

/** Places of libostree: ostree-sysroot-private.h (_OSTREE_SYSROOT_RUNSTATE_*) and ostree-sysroot.c. */
export interface HostPlaces {
  boot: string;
  run: string;
  sysroot: string;
}

const HOST_PLACES: HostPlaces = { boot: '/boot', run: '/run/ostree', sysroot: '/sysroot' };

export async function takeFingerprint(
  runner: Runner,
  places: HostPlaces = HOST_PLACES,
): Promise<Fingerprint> {
  const parts = new Map<string, string>();
  const loader = join(places.boot, 'loader');
  parts.set('boot loader directory', (await readLinkOptional(loader)) ?? '');
  for (const name of await listed(join(loader, 'entries'))) {
    parts.set(`boot entry ${name}`, await content(join(loader, 'entries', name)));
  }
  for (const name of await listed(join(places.boot, 'ostree')))
    parts.set(`kernel directory ${name}`, 'present');
  for (const name of ['staged-deployment', 'staged-deployment-locked']) {
    const path = join(places.run, name);
    if (await exists(path)) parts.set(`/run/ostree/${name}`, await content(path));
  }
  const deploy = join(places.sysroot, 'ostree/deploy');
  for (const stateroot of await listed(deploy)) {
    for (const name of await listed(join(deploy, stateroot, 'deploy')))
      parts.set(`deployment ${stateroot} ${name}`, 'present');
  }
  const repo = new Repo(runner, join(places.sysroot, 'ostree/repo'));
  if (await exists(repo.path)) for (const [ref, commit] of await repo.refs()) parts.set(`ref ${ref}`, commit);
  return parts;
}

/** Names of the parts that differ, in words. */
export function compareFingerprints(before: Fingerprint, after: Fingerprint): string[] {
  const changes: string[] = [];
  for (const [name, value] of before) {
    if (!after.has(name)) changes.push(`${name} is gone`);
    else if (after.get(name) !== value) changes.push(`${name} changed`);
  }
  for (const name of after.keys()) if (!before.has(name)) changes.push(`${name} is new`);
  return changes;
}

/**
 * `ostree admin --sysroot=…` of ostree 2025.3 and later deletes the host's prepared soft reboot
 * (ostree-sysroot.c, nextroot-booted): refuse while there is one.
 */
export async function refuseSoftReboot(run = HOST_PLACES.run): Promise<void> {
  if (!(await exists(join(run, 'nextroot-booted')))) return;
  throw new Failure('conflict', 'the host has prepared a soft reboot, which this command would cancel', {
    hint: 'Do the soft reboot first (systemctl soft-reboot), then run this command again.',
  });
}

async function listed(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => !name.startsWith('.')).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function content(path: string): Promise<string> {
  return (await readFile(path)).toString('base64');
}
