import { rm } from 'node:fs/promises';
import { exists, makeDirectories } from '../system/files.ts';
import { HostOstree } from '../system/hostostree.ts';
import { Repo } from '../system/ostree.ts';
import type { Runner } from '../system/run.ts';
import { bootedDeployment, type HostPlaces, type HostState } from './host.ts';
import { isOurRef, isOurStateroot } from './names.ts';
import type { GuardWindow } from './window.ts';

/** What `guestree guard --repair` does, as data: planned and told before anything is done. */
export type Repair =
  | { kind: 'restore-window' }
  | { kind: 'remove-staged-file'; deployment: string }
  | { kind: 'unstage'; stateroot: string; commit: string; booted: string }
  | { kind: 'remove-stateroot'; stateroot: string }
  | { kind: 'remove-ref'; ref: string };

/** What can be mended without losing anything that somebody may want. */
export function planRepairs(host: HostState, windowOpen: boolean): Repair[] {
  const repairs: Repair[] = [];
  if (windowOpen) repairs.push({ kind: 'restore-window' });
  const { staged } = host;
  if (staged.kind === 'staged' && !(windowOpen && isOurStateroot(staged.deployment.target.stateroot))) {
    const { stateroot, commit } = staged.deployment.target;
    const booted = bootedDeployment(host)?.stateroot;
    if (!staged.whole) repairs.push({ kind: 'remove-staged-file', deployment: `${stateroot} ${staged.id}` });
    else if (booted !== undefined && booted !== stateroot)
      repairs.push({ kind: 'unstage', stateroot, commit, booted });
  }
  if (!windowOpen) {
    for (const stateroot of host.stateroots.filter(isOurStateroot))
      repairs.push({ kind: 'remove-stateroot', stateroot });
    for (const ref of [...host.refs.keys()].filter(isOurRef)) repairs.push({ kind: 'remove-ref', ref });
  }
  return repairs;
}

/** The ref in guestree's pool that keeps what was staged when it is unstaged. */
function rescueRef(stateroot: string, commit: string): string {
  return `rescued/${stateroot}/${commit.slice(0, 12)}`;
}

export function describeRepair(repair: Repair): string {
  switch (repair.kind) {
    case 'restore-window':
      return 'Give the host back what it had staged before guestree was cut off.';
    case 'remove-staged-file':
      return `Remove the staged-deployment file: it names ${repair.deployment}, which is not there.`;
    case 'unstage':
      return `Unstage "${repair.stateroot}", so that the host boots "${repair.booted}" next; its tree is kept as ${rescueRef(repair.stateroot, repair.commit)} in guestree's pool.`;
    case 'remove-stateroot':
      return `Remove the stateroot ${repair.stateroot}, left by guestree.`;
    case 'remove-ref':
      return `Remove the ref ${repair.ref}, left by guestree.`;
  }
}

export interface RepairEffects {
  runner: Runner;
  places: HostPlaces;
  window: GuardWindow;
  pool: Repo;
}

export async function applyRepair(repair: Repair, effects: RepairEffects): Promise<void> {
  const { runner, places, window, pool } = effects;
  const repo = new Repo(runner, `${places.sysroot}/ostree/repo`);
  switch (repair.kind) {
    case 'restore-window':
      await window.restore();
      return;
    case 'remove-staged-file':
      await rm(`${places.run}/staged-deployment`, { force: true });
      await rm(`${places.run}/staged-deployment-locked`, { force: true });
      return;
    case 'unstage': {
      if (!(await exists(`${pool.path}/config`))) {
        await makeDirectories(pool.path, 0o700);
        await pool.init();
      }
      await pool.pullLocal(repo.path, repair.commit);
      await pool.setRef(rescueRef(repair.stateroot, repair.commit), await pool.require(repair.commit));
      await new HostOstree(runner).unstage(repair.stateroot);
      return;
    }
    case 'remove-stateroot':
      await rm(`${places.sysroot}/ostree/deploy/${repair.stateroot}`, { recursive: true, force: true });
      return;
    case 'remove-ref':
      await repo.deleteRef(repair.ref);
      return;
  }
}
