import { Failure } from '../model/failure.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, readLinkOptional } from '../system/files.ts';
import { HOST_PLACES, observeHost, type HostPlaces, type HostState } from './host.ts';
import { isOurRef, isOurStateroot } from './names.ts';

/**
 * What guestree must leave as it is on an ostree-booted host, each part under a name that a message can show:
 * boot loader entries, kernels below /boot/ostree, the staged deployment byte for byte and its lock, the deployments of
 * all stateroots, and all refs.
 */
export type Fingerprint = ReadonlyMap<string, string>;

const STAGED = '/run/ostree/staged-deployment';

export async function takeFingerprint(places: HostPlaces = HOST_PLACES): Promise<Fingerprint> {
  const host = await observeHost(places);
  const parts = new Map<string, string>();
  parts.set('boot loader directory', (await readLinkOptional(join(places.boot, 'loader'))) ?? '');
  for (const entry of host.menu)
    parts.set(`boot entry ${entry.path.slice(entry.path.lastIndexOf('/') + 1)}`, entry.text);
  for (const name of host.kernels) parts.set(`kernel directory ${name}`, 'present');
  if (host.staged.kind !== 'none') parts.set(STAGED, Buffer.from(host.staged.bytes).toString('base64'));
  if (host.lockMarker)
    parts.set(`${STAGED}-locked`, await readFile(`${places.run}/staged-deployment-locked`, 'base64'));
  for (const { stateroot, id, origin } of host.deployments)
    parts.set(`deployment ${stateroot} ${id}`, origin ?? 'without origin');
  for (const [ref, commit] of host.refs) parts.set(`ref ${ref}`, commit);
  return parts;
}

/** One difference between two fingerprints. */
export interface Difference {
  part: string;
  how: 'gone' | 'changed' | 'new';
}

export function compareFingerprints(before: Fingerprint, after: Fingerprint): Difference[] {
  const found: Difference[] = [];
  for (const [part, value] of before) {
    if (!after.has(part)) found.push({ part, how: 'gone' });
    else if (after.get(part) !== value) found.push({ part, how: 'changed' });
  }
  for (const part of after.keys()) if (!before.has(part)) found.push({ part, how: 'new' });
  return found;
}

export function tellDifference({ part, how }: Difference): string {
  return `${part} ${how === 'changed' ? how : `is ${how}`}`;
}

/** What differs, by whom it was made. */
export interface Attribution {
  ours: Difference[];
  foreign: Difference[];
}

/**
 * guestree works on the host under names of its own only: stateroots `guestree-…`, refs `guestree/…`, and a staged
 * deployment of such a stateroot. What is left of these is its own doing, and so is the loss of a staged deployment
 * while a window was open, if nothing else is staged instead. All the rest was made by somebody else meanwhile: the
 * host's updater, an administrator. `ostree/N/N/N` refs follow the list of deployments by themselves.
 */
export function attribute(
  differences: readonly Difference[],
  after: Pick<HostState, 'staged'>,
  window: boolean,
): Attribution {
  const result: Attribution = { ours: [], foreign: [] };
  const ourStaged =
    after.staged.kind === 'staged' && isOurStateroot(after.staged.deployment.target.stateroot);
  for (const difference of differences) {
    const { part, how } = difference;
    const [kind = '', name = ''] = part.split(' ');
    const ours =
      (kind === 'deployment' && isOurStateroot(name)) ||
      (kind === 'ref' && isOurRef(name)) ||
      (part === STAGED && (ourStaged || (window && how === 'gone')));
    (ours ? result.ours : result.foreign).push(difference);
  }
  return result;
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
