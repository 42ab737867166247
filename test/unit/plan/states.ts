import fc from 'fast-check';
import { renderDefinition, type Definition } from '../../../src/model/definition.ts';
import type { Generation } from '../../../src/model/generation.ts';
import { parseCommit, parseGuestName, parsePackageName, type PackageName } from '../../../src/model/names.ts';
import type { Quarantine } from '../../../src/model/quarantine.ts';
import { DEFAULT_SWITCHING } from '../../../src/model/switching.ts';
import { DEFAULT_SCHEDULE } from '../../../src/model/schedule.ts';
import type { GuestState, SwitchEvent } from '../../../src/plan/state.ts';
import type { Plan } from '../../../src/plan/step.ts';

const TIME = '2025-01-02T03:04:05.000Z';

export const mail = parseGuestName('mail');

export const definition: Definition = {
  name: mail,
  source: { kind: 'debian', suite: 'trixie', mirror: undefined },
  engine: 'auto',
  network: { kind: 'veth' },
  ports: [],
  switching: DEFAULT_SWITCHING,
  checks: [],
  listens: [],
  drainSeconds: 0.5,
  upgrade: DEFAULT_SCHEDULE,
};

export const definitionText = renderDefinition(definition);

export const packages = (...names: string[]): PackageName[] => names.map(parsePackageName);

export function generation(number: number, requested: readonly string[] = []): Generation {
  const tree = parseCommit(number.toString(16).padStart(64, '0'));
  return {
    version: 1,
    guest: mail,
    number,
    createdAt: TIME,
    createdBy: number === 1 ? 'create' : 'upgrade',
    definition: definitionText,
    base: tree,
    tree,
    deployment: `${tree}.0`,
    mergedAt: TIME,
    requested: packages(...requested),
    overrides: { removed: [], replaced: [] },
    engine: 'apt',
  };
}

export function event(number: number, previous?: number): SwitchEvent {
  return { time: TIME, generation: number, previous, reason: 'upgrade', downtimeMs: undefined };
}

/** A guest of one generation that does not run, with what is given changed. */
export function guest(changes: Partial<Omit<GuestState, 'name' | 'definition'>> = {}): GuestState {
  return {
    name: mail,
    definition,
    generations: [generation(1)],
    current: 1,
    running: undefined,
    active: false,
    enabled: false,
    pinned: new Set(),
    events: [event(1)],
    quarantined: [],
    ...changes,
  };
}

/** A guest that went through these generations in this order and is on the last one. */
export function guestAfter(...numbers: number[]): GuestState {
  return guest({
    generations: [...new Set(numbers)].sort((a, b) => a - b).map((number) => generation(number)),
    current: numbers.at(-1) ?? 1,
    events: numbers.map((number, index) => event(number, numbers[index - 1])),
  });
}

export function actions(plan: Plan | 'unchanged' | undefined): string[] {
  if (plan === undefined || plan === 'unchanged') throw new Error('there is no plan');
  return plan.steps.map((step) => step.action);
}

const numbers = fc.integer({ min: 1, max: 12 });

const events: fc.Arbitrary<SwitchEvent[]> = fc
  .array(fc.tuple(numbers, fc.option(numbers, { nil: undefined })), { maxLength: 8 })
  .map((pairs) =>
    pairs.map(([number, previous]) => event(number, previous === number ? undefined : previous)),
  );

/** Any state, also ones that only damage or an administrator's hands can bring about. */
export const states: fc.Arbitrary<GuestState> = fc
  .uniqueArray(numbers, { minLength: 1, maxLength: 8 })
  .map((all) => all.sort((a, b) => a - b))
  .chain((all) =>
    fc.record({
      name: fc.constant(mail),
      definition: fc.constant(definition),
      generations: fc.constant(all.map((number) => generation(number))),
      current: fc.constantFrom(...all),
      running: fc.option(fc.constantFrom(...all), { nil: undefined }),
      quarantined: fc.subarray(all).map((failed) =>
        failed.map((number): Quarantine => ({
          ...{ time: TIME, generation: number, tree: generation(number).tree, content: String(number) },
          ...{ phase: 'health', why: 'the unit postfix.service failed', seen: false },
        })),
      ),
      active: fc.boolean(),
      enabled: fc.boolean(),
      pinned: fc.uniqueArray(numbers).map((pins): ReadonlySet<number> => new Set(pins)),
      events,
    }),
  );
