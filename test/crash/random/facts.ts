import path from 'node:path';
import type { Lab } from '../../lab/lab.ts';

/** What facts.mjs prints; see there. */
export interface Facts {
  bootId: string;
  guests: Record<string, GuestFacts>;
  machines: string[];
  mounts: string[];
  scratch: string[];
  journal: string[];
  kept: string[];
  temporary: string[];
  refs: string[];
  emptyRefs: string[];
  links: string[];
  processes: string[];
  units: { name: string; load: string; active: string; sub: string }[];
  interfaces: string[];
  nspawn: string[];
}

export interface GenerationFacts {
  /** Whether the record can be read. */
  whole: boolean;
  tree: string | null;
  base: string | null;
  deployment: string | null;
  requested: string[];
  root: string | null;
  /** MARKER/BASE: the version of the layered package and that of the base, or `none`. */
  version: string;
  /** A file in its /etc. */
  stamp: string | null;
}

export interface GuestFacts {
  current: string | null;
  generations: Record<string, GenerationFacts>;
  pins: string[];
  deployments: string[];
  entries: string[];
  machineId: string | null;
  etcMachineId: string | null;
  /** A file below /var. */
  token: string | null;
  /** Generations that were current at some time. */
  activated: number[];
  enabled: boolean;
  running: {
    state: string;
    root: string;
    version: string;
    machineId: string | null;
    token: string | null;
  } | null;
}

export const STATE = '/sysroot/ostree/guestree';
const SCRIPTS = '/var/tmp/crash-scripts';

export async function bringScripts(lab: Lab): Promise<void> {
  for (const name of ['facts.mjs', 'cut.sh'])
    await lab.copyIn(path.join(import.meta.dirname, name), script(name));
}

export function script(name: string): string {
  return `${SCRIPTS}/${name}`;
}

export async function readFacts(lab: Lab, state = STATE): Promise<Facts> {
  const { stdout } = await lab.run(['node', script('facts.mjs'), state]);
  return JSON.parse(stdout) as Facts;
}

/** The number of the current generation; 0 if there is none. */
export function currentOf(guest: GuestFacts | undefined): number {
  return Number(guest?.current?.split('/').at(-1) ?? 0);
}

export function generationOf(guest: GuestFacts | undefined, number: number): GenerationFacts | undefined {
  return guest?.generations[String(number)];
}

/** A generation that was made and never used, as `--no-switch` leaves it. */
export function pendingOf(guest: GuestFacts | undefined): number | undefined {
  if (guest === undefined) return undefined;
  const newest = numbersOf(guest).at(-1) ?? 0;
  return newest > currentOf(guest) && !guest.activated.includes(newest) ? newest : undefined;
}

/** The generation that a change starts from. */
export function newestOf(guest: GuestFacts | undefined): GenerationFacts | undefined {
  return generationOf(guest, pendingOf(guest) ?? currentOf(guest));
}

export function numbersOf(guest: GuestFacts): number[] {
  return Object.keys(guest.generations)
    .map(Number)
    .sort((a, b) => a - b);
}
