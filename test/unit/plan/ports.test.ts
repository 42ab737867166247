import { describe, expect, test } from 'vitest';
import { renderDefinition } from '../../../src/model/definition.ts';
import type { Generation } from '../../../src/model/generation.ts';
import { parseListen } from '../../../src/model/listen.ts';
import { planActivatePending, planRollback, planUpgrade } from '../../../src/plan/operations.ts';
import { planRestart } from '../../../src/plan/ports.ts';
import type { GuestState } from '../../../src/plan/state.ts';
import { actions, definition, event, generation, guest } from './states.ts';

function holding(number: number, ...listens: string[]): Generation {
  const text = renderDefinition({ ...definition, listens: listens.map(parseListen) });
  return { ...generation(number), definition: text };
}

/** A running guest whose first generation holds some ports, and its second others. */
function between(first: string[], second: string[], current = 2): GuestState {
  return guest({
    generations: [holding(1, ...first), holding(2, ...second)],
    current,
    events: [event(1), event(2, 1)].slice(0, current),
    active: true,
    running: current,
  });
}

describe('a switch', () => {
  test('of held ports holds them before the guest is stopped, and leaves them as they are', () => {
    const plan = planRollback(between(['tcp:25'], ['tcp:25']), undefined);
    expect(actions(plan)).toEqual([
      'hold-ports',
      'stop',
      'swap',
      'start',
      'check-health',
      'reload',
      'settle',
    ]);
    expect(plan).toMatchObject({ steps: [{ action: 'hold-ports', generation: 1 }, {}, {}, {}, {}, {}, {}] });
  });

  test.each<[string, string[], string[]]>([
    ['the first one', [], ['tcp:25']],
    ['one more', ['tcp:25'], ['tcp:25', 'tcp:26']],
    ['one less', ['tcp:25', 'tcp:26'], ['tcp:25']],
    ['none any more', ['tcp:25'], []],
    ['another port of the guest', ['tcp:25'], ['tcp:25:26']],
  ])('to %s sets the ports after the swap and before the start', (_, first, second) => {
    expect(actions(planActivatePending(between(first, second, 1)))).toEqual([
      'preflight',
      'hold-ports',
      'stop',
      'merge-etc',
      'swap',
      'set-ports',
      'start',
      'check-health',
      'reload',
      'settle',
    ]);
  });

  test('of a guest that does not run holds nothing, but sets the ports', () => {
    const state = { ...between([], ['tcp:25'], 1), active: false, running: undefined };
    expect(actions(planActivatePending(state))).toEqual([
      'merge-etc',
      'swap',
      'set-ports',
      'reload',
      'settle',
    ]);
  });

  test('to a generation that is made in the same plan goes by the definition', () => {
    const state = {
      ...guest({ active: true }),
      definition: { ...definition, listens: [parseListen('tcp:25')] },
    };
    expect(actions(planUpgrade(state, { doSwitch: true })).slice(-9)).toEqual([
      'hold-ports',
      'stop',
      'merge-etc',
      'swap',
      'set-ports',
      'start',
      'check-health',
      'reload',
      'settle',
    ]);
  });
});

describe('a restart', () => {
  test('holds the ports if the guest runs', () => {
    const state = between(['tcp:25'], ['tcp:25']);
    expect(actions(planRestart(state))).toEqual(['hold-ports', 'stop', 'boot']);
    expect(actions(planRestart({ ...state, active: false }))).toEqual(['boot']);
    expect(actions(planRestart(between([], [])))).toEqual(['stop', 'boot']);
  });
});
