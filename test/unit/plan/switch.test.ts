import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  planActivatePending,
  planCleanup,
  planLabel,
  planRemove,
  planRollback,
  requireGeneration,
} from '../../../src/plan/operations.ts';
import { pendingGeneration, previousGeneration, type GuestState } from '../../../src/plan/state.ts';
import { statesOf } from '../../../src/plan/states.ts';
import { failureOf } from '../failures.ts';
import { actions, generation, guest, guestAfter, states } from './states.ts';

describe('rollback', () => {
  test.each<[string, GuestState, number | undefined, number, string[]]>([
    ['to the previous one', guestAfter(1, 2), undefined, 1, ['swap', 'reload', 'settle']],
    ['twice, there and back', guestAfter(1, 2, 1), undefined, 2, ['swap', 'reload', 'settle']],
    ['to an older one', guestAfter(1, 2, 3), 1, 1, ['swap', 'reload', 'settle']],
    [
      'of a running guest',
      { ...guestAfter(1, 2), active: true, running: 2 },
      undefined,
      1,
      ['stop', 'swap', 'start', 'check-health', 'reload', 'settle'],
    ],
    [
      'to one that was never used, with changes in /etc merged',
      { ...guestAfter(1), generations: [generation(1), generation(2)] },
      2,
      2,
      ['merge-etc', 'swap', 'reload', 'settle'],
    ],
  ])('goes %s', (_, state, wanted, target, steps) => {
    const plan = planRollback(state, wanted);
    expect(actions(plan)).toEqual(steps);
    expect(plan).toMatchObject({
      operation: 'rollback',
      steps: expect.arrayContaining([
        expect.objectContaining({ action: 'swap', generation: target, previous: state.current }),
      ]) as unknown,
    });
  });

  test('without an earlier generation is refused', () => {
    const failure = failureOf(() => planRollback(guest(), undefined));
    expect(failure).toMatchObject({ reason: 'not-found', guest: 'mail' });
    expect(failure.hint).toContain('guestree history mail');
  });

  test('to a generation that is not there is refused, and says which are', () => {
    const failure = failureOf(() => planRollback(guestAfter(1, 3), 2));
    expect(failure).toMatchObject({ reason: 'not-found', message: 'there is no generation 2' });
    expect(failure.hint).toContain('1, 3');
  });

  test('to the current one is unchanged', () => {
    expect(planRollback(guestAfter(1, 2), 2)).toBe('unchanged');
  });
});

describe('a pending generation', () => {
  const pending = { ...guestAfter(1), generations: [generation(1), generation(2)] };

  test('is taken up at the next start', () => {
    expect(actions(planActivatePending(pending))).toEqual(['merge-etc', 'swap', 'reload', 'settle']);
    expect(actions(planActivatePending({ ...pending, active: true }))).toEqual([
      'preflight',
      'stop',
      'merge-etc',
      'swap',
      'start',
      'check-health',
      'reload',
      'settle',
    ]);
  });

  test('that does not exist gives no plan', () => {
    expect(planActivatePending(guestAfter(1, 2))).toBeUndefined();
  });
});

describe('cleanup', () => {
  function retired(state: GuestState, keep = 0): number[] {
    return planCleanup([state], keep)
      .flatMap((plan) => plan.steps)
      .flatMap((step) => (step.action === 'retire' ? [step.generation] : []));
  }

  test('takes what is neither current nor previous', () => {
    expect(retired(guestAfter(1, 2, 3, 4, 5))).toEqual([1, 2, 3]);
    expect(retired(guestAfter(1))).toEqual([]);
  });

  test('keeps the newest ones as well if it is told to', () => {
    expect(retired(guestAfter(1, 2, 3, 4, 5), 3)).toEqual([1, 2]);
    expect(retired(guestAfter(1, 2, 3), 100)).toEqual([]);
  });

  test('takes a generation that waited and was overtaken by a newer one', () => {
    const generations = [1, 2, 3].map((number) => generation(number));
    expect(retired({ ...guestAfter(1), generations })).toEqual([2]);
  });

  test('never retires the current, previous, pending, running or a pinned generation, nor one twice', () => {
    fc.assert(
      fc.property(states, fc.integer({ min: 0, max: 15 }), (state, keep) => {
        const gone = retired(state, keep);
        const numbers = state.generations.map((each) => each.number);
        const safe = [
          state.current,
          state.running,
          previousGeneration(state),
          pendingGeneration(state),
          ...state.pinned,
          ...(keep === 0 ? [] : numbers.slice(-keep)),
        ];
        expect(gone.filter((each) => safe.includes(each))).toEqual([]);
        expect(new Set(gone).size).toBe(gone.length);
        expect(numbers).toEqual(expect.arrayContaining(gone));
        const left = numbers.filter((each) => !gone.includes(each));
        expect(left.every((each) => safe.includes(each))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('leaves a state in which the next cleanup finds nothing', () => {
    fc.assert(
      fc.property(states, (state) => {
        const gone = retired(state);
        const generations = state.generations.filter((each) => !gone.includes(each.number));
        expect(retired({ ...state, generations })).toEqual([]);
      }),
    );
  });

  test('prunes each guest, and the pool once at last', () => {
    const plans = planCleanup([guestAfter(1, 2, 3), guest()], 0);
    expect(plans.map(actions)).toEqual([['retire', 'prune'], ['prune'], ['prune']]);
    expect(plans.map(planLabel)).toEqual(['mail', 'mail', 'guestree']);
  });
});

describe('remove', () => {
  test.each<[string, GuestState, string | undefined, string[]]>([
    ['a stopped guest', guest(), undefined, []],
    ['a running guest', guest({ active: true, running: 1 }), undefined, ['halt']],
    ['a guest whose data is kept', guest(), '/kept/mail', ['keep-data']],
    ['a running guest whose data is kept', guest({ active: true }), '/kept/mail', ['halt', 'keep-data']],
  ])('of %s unlinks it before it is deleted', (_, state, kept, before) => {
    const plan = planRemove(state, kept);
    expect(actions(plan)).toEqual([...before, 'unlink', 'reload', 'delete-guest', 'prune']);
  });
});

test('a generation that must exist is found, or named in the failure', () => {
  expect(() => requireGeneration(guestAfter(1, 2), 2)).not.toThrow();
  expect(failureOf(() => requireGeneration(guestAfter(1, 2), 3)).exitCode).toBe(4);
});

test('every switch stops before it swaps and settles after it started: whatever the state', () => {
  fc.assert(
    fc.property(states, (state) => {
      const plan = planActivatePending(state);
      if (plan === undefined) return;
      const steps = actions(plan);
      expect(steps.includes('stop')).toBe(state.active);
      expect(steps.includes('start')).toBe(state.active);
      expect(steps.indexOf('stop')).toBeLessThan(steps.indexOf('swap'));
      expect(steps.at(-1)).toBe('settle');
      expect(() => statesOf(plan)).not.toThrow();
    }),
  );
});
