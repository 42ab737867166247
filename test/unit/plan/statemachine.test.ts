import { describe, expect, test } from 'vitest';
import {
  planCleanup,
  planCreate,
  planInstall,
  planRebase,
  planRemove,
  planRollback,
  planUninstall,
  planUpgrade,
} from '../../../src/plan/operations.ts';
import { drawStates, statesOf } from '../../../src/plan/states.ts';
import type { Plan } from '../../../src/plan/step.ts';
import { definition, definitionText, guestAfter, packages } from './states.ts';

const running = { ...guestAfter(1, 2), active: true, running: 2 };
const text = definitionText;
const plans: Record<string, Plan | 'unchanged'> = {
  create: planCreate(definition, packages('vim'), true),
  install: planInstall(running, packages('vim'), { doSwitch: true }),
  'install --no-switch': planInstall(running, packages('vim'), { doSwitch: false }),
  uninstall: planUninstall(
    { ...running, generations: running.generations.map((each) => ({ ...each, requested: packages('vim') })) },
    packages('vim'),
    { doSwitch: true },
  ),
  upgrade: planUpgrade(guestAfter(1, 2), { doSwitch: true }),
  rebase: planRebase(running, { before: text, text }, { doSwitch: true }),
  rollback: planRollback(running, undefined),
  remove: planRemove(running, '/kept'),
  cleanup: planCleanup([guestAfter(1, 2, 3)], 0)[0] ?? 'unchanged',
  'cleanup of the pool': planCleanup([], 0)[0] ?? 'unchanged',
};

describe('the state machine', () => {
  test.each(Object.entries(plans))('has a path for %s', (_, plan) => {
    if (plan === 'unchanged') throw new Error('there is no plan');
    expect(() => statesOf(plan)).not.toThrow();
  });

  test('names the state before each step of a switch', () => {
    const plan = plans['install'];
    if (plan === undefined || plan === 'unchanged') throw new Error('there is no plan');
    const states = statesOf(plan);
    const before = (action: string): string | undefined =>
      states[plan.steps.findIndex((step) => step.action === action)];
    expect(['preflight', 'stop', 'swap', 'start', 'check-health', 'settle'].map(before)).toEqual([
      'built',
      'proven',
      'stopped',
      'swapped',
      'started',
      'healthy',
    ]);
  });

  test.each<[string, Plan['steps']]>([
    ['a switch that never settles', [{ action: 'swap', guest: running.name, generation: 3, previous: 2 }]],
    ['a start before the swap', [{ action: 'start', guest: running.name }]],
    ['the removal of a guest that is linked', [{ action: 'delete-guest', guest: running.name }]],
  ])('refuses %s', (_, steps) => {
    expect(() => statesOf({ operation: 'x', guest: running.name, steps })).toThrow(/state|possible/);
  });

  test('is what docs/states.md shows: npx vitest run -u test/unit/plan/statemachine.test.ts', async () => {
    await expect(drawStates()).toMatchFileSnapshot('../../../docs/states.md');
  });
});
