import { describe, expect, test } from 'vitest';
import { shouldFinish } from '../../../src/apply/apply.ts';
import {
  planCleanup,
  planCreate,
  planRemove,
  planRollback,
  planUpgrade,
} from '../../../src/plan/operations.ts';
import type { Plan } from '../../../src/plan/step.ts';
import { definition, guestAfter } from '../plan/states.ts';

const running = { ...guestAfter(1, 2), active: true, running: 2 };

function plan(value: Plan | 'unchanged' | undefined): Plan {
  if (value === undefined || value === 'unchanged') throw new Error('there is no plan');
  return value;
}

const plans = {
  create: planCreate(definition, [], true),
  upgrade: planUpgrade(running, { doSwitch: true }),
  'upgrade of a stopped guest': planUpgrade(guestAfter(1, 2), { doSwitch: true }),
  'upgrade --no-switch': planUpgrade(running, { doSwitch: false }),
  rollback: plan(planRollback(running, undefined)),
  remove: planRemove(running, undefined),
  cleanup: plan(planCleanup([guestAfter(1, 2, 3)], 0)[0]),
};

const indexOf = (name: keyof typeof plans, action: string): number =>
  plans[name].steps.findIndex((step) => step.action === action);

type Name = keyof typeof plans;

function finishes(name: Name, ended: number, undoing = false, begun = ended + 1): boolean {
  return shouldFinish({ plan: plans[name], bootId: 'x', begun, ended, undoing });
}

describe('what was interrupted', () => {
  test.each<[Name, string]>([
    ['create', 'swap'],
    ['upgrade of a stopped guest', 'swap'],
    ['upgrade', 'check-health'],
    ['rollback', 'check-health'],
  ])('in %s is undone until %s has ended, then finished', (name, action) => {
    const commit = indexOf(name, action);
    expect(commit).toBeGreaterThan(0);
    for (let ended = -1; ended < plans[name].steps.length; ended++) {
      expect(finishes(name, ended), `after step ${ended}`).toBe(ended >= commit);
    }
  });

  test.each<Name>(['create', 'upgrade', 'rollback'])(
    'in %s while it was undone goes on being undone',
    (name) => {
      for (let ended = -1; ended < plans[name].steps.length; ended++) {
        expect(finishes(name, ended, true), `after step ${ended}`).toBe(false);
      }
    },
  );

  test('in a plan without a swap is undone', () => {
    for (let ended = -1; ended < plans['upgrade --no-switch'].steps.length; ended++) {
      expect(finishes('upgrade --no-switch', ended)).toBe(false);
    }
  });

  test.each<Name>(['remove', 'cleanup'])('in %s is always finished: there is no way back', (name) => {
    for (let ended = -1; ended < plans[name].steps.length; ended++) {
      expect(finishes(name, ended)).toBe(true);
      expect(finishes(name, ended, true)).toBe(true);
    }
  });

  test('in the swap itself, begun and not known to have ended, is undone', () => {
    const swap = indexOf('upgrade', 'swap');
    expect(finishes('upgrade', swap - 1, false, swap)).toBe(false);
  });
});
