import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  currentGeneration,
  isFresh,
  nextNumber,
  pendingGeneration,
  previousGeneration,
} from '../../../src/plan/state.ts';
import { event, generation, guest, guestAfter, states } from './states.ts';

describe('the previous generation', () => {
  test.each<[number[], number | undefined]>([
    [[1], undefined],
    [[1, 2], 1],
    [[1, 2, 3], 2],
    [[1, 2, 3, 2], 3],
    [[1, 2, 3, 2, 3], 2],
    [[1, 2, 3, 1], 3],
  ])('after %j is %s', (history, previous) => {
    expect(previousGeneration(guestAfter(...history))).toBe(previous);
  });

  test('is the nearest older one that was used, if the one before has been removed', () => {
    const state = guestAfter(1, 2, 3, 4);
    const generations = [1, 2, 4].map((number) => generation(number));
    expect(previousGeneration({ ...state, generations })).toBe(2);
  });

  test('is never one that was built but not used', () => {
    const generations = [1, 2, 3].map((number) => generation(number));
    const state = guest({ generations, current: 3, events: [event(1), event(3)] });
    expect(previousGeneration(state)).toBe(1);
  });

  test('is unknown if the event log is lost and nothing tells what was used', () => {
    const generations = [1, 2].map((number) => generation(number));
    expect(previousGeneration(guest({ generations, current: 2, events: [] }))).toBeUndefined();
  });

  test('exists, is not the current one, and was used: whatever the state', () => {
    fc.assert(
      fc.property(states, (state) => {
        const previous = previousGeneration(state);
        if (previous === undefined) return;
        expect(state.generations.map((each) => each.number)).toContain(previous);
        expect(previous).not.toBe(state.current);
      }),
    );
  });
});

describe('the pending generation', () => {
  test('is the newest one if it was built after the current one and never used', () => {
    const state = guestAfter(1, 2);
    expect(pendingGeneration(state)).toBeUndefined();
    expect(pendingGeneration({ ...state, generations: [...state.generations, generation(3)] })).toBe(3);
  });

  test('is none after a rollback: the newest one was used', () => {
    expect(pendingGeneration(guestAfter(1, 2, 1))).toBeUndefined();
  });

  test('is only the newest of several', () => {
    const state = guestAfter(1);
    const generations = [1, 2, 3].map((number) => generation(number));
    expect(pendingGeneration({ ...state, generations })).toBe(3);
  });

  test('is newer than the current one and fresh: whatever the state', () => {
    fc.assert(
      fc.property(states, (state) => {
        const pending = pendingGeneration(state);
        if (pending === undefined) return;
        expect(pending).toBeGreaterThan(state.current);
        expect(isFresh(state, pending)).toBe(true);
      }),
    );
  });
});

describe('the next number', () => {
  test('was never used before, not even by a generation that is gone', () => {
    expect(nextNumber(guest())).toBe(2);
    expect(nextNumber(guest({ events: [event(1), event(9), event(1, 9)] }))).toBe(10);
    fc.assert(
      fc.property(states, (state) => {
        const next = nextNumber(state);
        expect(state.generations.every((each) => each.number < next)).toBe(true);
        expect(state.events.every((each) => each.generation < next)).toBe(true);
      }),
    );
  });
});

describe('a generation', () => {
  test('is fresh until it was current once', () => {
    const state = guestAfter(1, 2, 1);
    expect(isFresh(state, 1)).toBe(false);
    expect(isFresh(state, 2)).toBe(false);
    expect(isFresh(state, 3)).toBe(true);
    expect(isFresh(guest({ events: [] }), 1)).toBe(false);
  });

  test('that is current has a record, or it is said how to get to another one', () => {
    expect(currentGeneration(guestAfter(1, 2)).number).toBe(2);
    expect(() => currentGeneration(guest({ current: 5 }))).toThrow(
      /record of its current generation 5 is missing or damaged/,
    );
  });
});
