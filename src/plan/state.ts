import { Failure } from '../model/failure.ts';
import type { Definition } from '../model/definition.ts';
import type { Generation } from '../model/generation.ts';
import type { GuestName } from '../model/names.ts';
import type { Quarantine } from '../model/quarantine.ts';

/** A line of the guest's event log: a switch that was made, or one that failed and was taken back. */
export interface SwitchEvent {
  time: string;
  generation: number;
  previous: number | undefined;
  reason: string;
  /** Milliseconds in which the guest was not ready; undefined if it did not run. */
  downtimeMs: number | undefined;
  /** In which step the switch failed; undefined if it was made. */
  failed?: 'preflight' | 'start' | 'health' | undefined;
  /** Why it failed. */
  why?: string | undefined;
  preflight?: Examined | undefined;
  /** Why there was no preflight. */
  unproven?: string | undefined;
  health?: Examined | undefined;
}

/** What came of a preflight or of the checks after a switch. */
export interface Examined {
  passed: boolean;
  milliseconds: number;
  checks: { name: string; wanted: boolean; passed: boolean; message?: string | undefined }[];
}

/** Switches that were made. */
export function switchesOf(events: readonly SwitchEvent[]): SwitchEvent[] {
  return events.filter((event) => event.failed === undefined);
}

/** Everything that planning needs to know of a guest: plain data, observed by src/apply/observe.ts. */
export interface GuestState {
  name: GuestName;
  definition: Definition;
  /** By number, ascending. */
  generations: Generation[];
  /** The generation that `current` points at. */
  current: number;
  /** The generation whose deployment the guest runs from; it can differ from `current` after `machinectl`. */
  running: number | undefined;
  /** Whether the unit is active, ready or not. */
  active: boolean;
  enabled: boolean;
  pinned: ReadonlySet<number>;
  events: SwitchEvent[];
  /** Trees that failed. */
  quarantined: Quarantine[];
}

export function currentGeneration(state: GuestState): Generation {
  const found = state.generations.find((each) => each.number === state.current);
  if (found === undefined) {
    throw new Failure(
      'invalid',
      `the record of its current generation ${state.current} is missing or damaged`,
      {
        guest: state.name,
        hint: `Go back to another generation with: guestree rollback ${state.name}`,
      },
    );
  }
  return found;
}

/** Generations that were current at some time. */
function activated(state: GuestState): Set<number> {
  return new Set([...switchesOf(state.events).map((event) => event.generation), state.current]);
}

/** The generation before the current one: what `rollback` goes to. */
export function previousGeneration(state: GuestState): number | undefined {
  const numbers = new Set(state.generations.map((each) => each.number));
  const before = switchesOf(state.events).findLast((event) => event.generation === state.current)?.previous;
  if (before !== undefined && numbers.has(before)) return before;
  const used = activated(state);
  return state.generations.findLast((each) => each.number < state.current && used.has(each.number))?.number;
}

/**
 * The newest generation that was built after the current one, never used, and did not fail: `install --no-switch`
 * leaves it.
 */
export function pendingGeneration(state: GuestState): number | undefined {
  const newest = state.generations.at(-1)?.number;
  if (newest === undefined || newest <= state.current || activated(state).has(newest)) return undefined;
  return failureOf(state, newest) === undefined ? newest : undefined;
}

/** Why the tree of a generation is in quarantine; undefined if it is not. */
export function failureOf(state: GuestState, generation: number): Quarantine | undefined {
  const tree = state.generations.find((each) => each.number === generation)?.tree;
  return state.quarantined.find((each) => each.generation === generation || each.tree === tree);
}

/** Whether a generation was never current, so that changes in /etc since it was made belong into it. */
export function isFresh(state: GuestState, generation: number): boolean {
  return !activated(state).has(generation);
}

export function nextNumber(state: GuestState): number {
  const used = [
    ...state.generations.map((each) => each.number),
    ...state.events.map((event) => event.generation),
  ];
  return Math.max(0, ...used) + 1;
}

/** The newest of what was built after the current generation, else the current one: fit, or failed. */
export function newestGeneration(state: GuestState): Generation {
  const used = activated(state);
  const later = state.generations.findLast((each) => each.number > state.current && !used.has(each.number));
  return later ?? currentGeneration(state);
}
