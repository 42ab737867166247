import { readdir, readFile, stat } from 'node:fs/promises';
import { decode } from '../formats/gvariant.ts';
import { parseStagedDeployment, type StagedDeployment } from '../formats/staged.ts';
import { Failure } from '../model/failure.ts';
import { readBootEntries, type BootEntry, type BootTarget } from '../system/bootentries.ts';
import { exists, isErrno, readOptional } from '../system/files.ts';
import { readRefs } from '../system/refs.ts';

/** Places of libostree: ostree-sysroot-private.h (_OSTREE_SYSROOT_RUNSTATE_*) and ostree-sysroot.c. */
export interface HostPlaces {
  boot: string;
  run: string;
  sysroot: string;
  /** The root file system that runs. */
  root: string;
  /** Says that the host was booted from a deployment, and on composefs from which one. */
  booted: string;
}

export const HOST_PLACES: HostPlaces = {
  boot: '/boot',
  run: '/run/ostree',
  sysroot: '/sysroot',
  root: '/',
  booted: '/run/ostree-booted',
};

export type Staged =
  | { kind: 'none' }
  | { kind: 'unreadable'; bytes: Uint8Array; why: string }
  | {
      kind: 'staged';
      bytes: Uint8Array;
      deployment: StagedDeployment;
      id: string;
      /** Whether its directory and its .origin file are there. */
      whole: boolean;
    };

/** A directory below `ostree/deploy/STATEROOT/deploy`. */
export interface HostDeployment extends BootTarget {
  booted: boolean;
  /** Whether a boot loader entry or the staged file names it: what is not listed goes at the next cleanup. */
  listed: boolean;
  /** The text of its .origin file. */
  origin: string | undefined;
}

/** Everything of an ostree-booted host that guestree must leave as it is: plain data. */
export interface HostState {
  menu: BootEntry[];
  /** Directories below /boot/ostree. */
  kernels: string[];
  staged: Staged;
  /** The older way to lock the staged deployment: a file beside it (before ostree 2023.8 the only one). */
  lockMarker: boolean;
  stateroots: string[];
  deployments: HostDeployment[];
  refs: ReadonlyMap<string, string>;
  softReboot: boolean;
}

export async function observeHost(places: HostPlaces = HOST_PLACES): Promise<HostState> {
  const deploy = `${places.sysroot}/ostree/deploy`;
  const menu = await readBootEntries(places.boot, places.sysroot);
  const staged = await readStaged(places);
  const stateroots = await directories(deploy);
  const listed = new Set(menu.flatMap(({ target }) => (target === undefined ? [] : [key(target)])));
  if (staged.kind === 'staged')
    listed.add(key({ stateroot: staged.deployment.target.stateroot, id: staged.id }));
  const root = await rootIdentity(places);
  const deployments: HostDeployment[] = [];
  for (const stateroot of stateroots) {
    for (const id of await directories(`${deploy}/${stateroot}/deploy`)) {
      const directory = `${deploy}/${stateroot}/deploy/${id}`;
      const found = await stat(directory);
      deployments.push({
        stateroot,
        id,
        // As ostree recognises it (ostree-sysroot.c, parse_deployment()).
        booted: found.dev === root.dev && found.ino === root.ino,
        listed: listed.has(key({ stateroot, id })),
        origin: await readOptional(`${directory}.origin`),
      });
    }
  }
  return {
    menu,
    kernels: await directories(`${places.boot}/ostree`),
    staged,
    lockMarker: await exists(`${places.run}/staged-deployment-locked`),
    stateroots,
    deployments,
    refs: await readRefs(`${places.sysroot}/ostree/repo`),
    softReboot: await exists(`${places.run}/nextroot-booted`),
  };
}

export async function readStaged(places: HostPlaces): Promise<Staged> {
  const path = `${places.run}/staged-deployment`;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return { kind: 'none' };
    throw error;
  }
  try {
    const deployment = parseStagedDeployment(bytes, path);
    const { stateroot, commit, serial } = deployment.target;
    const id = `${commit}.${serial}`;
    const directory = `${places.sysroot}/ostree/deploy/${stateroot}/deploy/${id}`;
    const whole = (await exists(directory)) && (await exists(`${directory}.origin`));
    return { kind: 'staged', bytes, deployment, id, whole };
  } catch (error) {
    if (error instanceof Failure) return { kind: 'unreadable', bytes, why: error.message };
    throw error;
  }
}

/**
 * Device and inode of the deployment that the host runs from (ostree-sysroot.c, ostree_sysroot_initialize()): those of
 * /, or where / is a composefs mount those that ostree-prepare-root wrote into /run/ostree-booted, an a{sv} with the key
 * `backing-root-device-inode` of type (tt).
 */
async function rootIdentity(places: HostPlaces): Promise<{ dev: number; ino: number }> {
  const found = await stat(places.root);
  try {
    const backing = decode('a{sv}', await readFile(places.booted), places.booted).get(
      'backing-root-device-inode',
    );
    if (backing?.type === '(tt)' && backing.data.length === 16) {
      const view = new DataView(backing.data.buffer, backing.data.byteOffset);
      return { dev: Number(view.getBigUint64(0, true)), ino: Number(view.getBigUint64(8, true)) };
    }
  } catch (error) {
    // Before composefs the file was empty, or had other content.
    if (!(error instanceof Failure) && !isErrno(error, 'ENOENT')) throw error;
  }
  return found;
}

/** The stateroot that the host itself runs from. */
export function bootedDeployment(host: HostState): HostDeployment | undefined {
  return host.deployments.find((each) => each.booted);
}

function key({ stateroot, id }: BootTarget): string {
  return `${stateroot}/${id}`;
}

async function directories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}
