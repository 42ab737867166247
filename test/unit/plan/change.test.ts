import { describe, expect, test } from 'vitest';
import { planCreate, planInstall, planUninstall, planUpgrade } from '../../../src/plan/operations.ts';
import type { GuestState } from '../../../src/plan/state.ts';
import type { Plan } from '../../../src/plan/step.ts';
import { failureOf } from '../failures.ts';
import { actions, definition, definitionText, event, generation, guest, packages } from './states.ts';

const BUILD = ['prepare-host', 'fetch-base', 'layer', 'deploy', 'render'];
const SWITCH = ['keep', 'merge-etc', 'swap', 'reload', 'settle'];
const SWITCH_RUNNING = [
  'keep',
  'preflight',
  'stop',
  'merge-etc',
  'swap',
  'start',
  'check-health',
  'reload',
  'settle',
];

const layered = (...names: string[]): GuestState => guest({ generations: [generation(1, names)] });

/** Generation 1 is current, 2 was built with --no-switch. */
const waiting = (...names: string[]): GuestState =>
  guest({ generations: [generation(1), generation(2, names)], events: [event(1)] });

function step(plan: Plan | 'unchanged', action: string): unknown {
  if (plan === 'unchanged') throw new Error('there is no plan');
  return plan.steps.find((each) => each.action === action);
}

describe('create', () => {
  test('makes generation 1 and swaps it in before anything of the host points at it', () => {
    const plan = planCreate(definition, packages('postfix'), false);
    expect(plan).toMatchObject({ operation: 'create', guest: 'mail' });
    expect(actions(plan)).toEqual([
      'prepare-host',
      'make-sysroot',
      'define',
      'fetch-base',
      'layer',
      'deploy',
      'render',
      'swap',
      'link',
      'reload',
      'settle',
    ]);
    expect(step(plan, 'layer')).toMatchObject({ onto: 'base', packages: ['postfix'], upgrade: false });
    expect(step(plan, 'define')).toMatchObject({ text: definitionText });
    expect(step(plan, 'render')).toMatchObject({ requested: ['postfix'], definition: definitionText });
  });

  test('starts the guest at last if it is asked to', () => {
    expect(actions(planCreate(definition, [], true)).at(-1)).toBe('boot');
  });
});

describe('install', () => {
  test.each<[string, GuestState, boolean, string[]]>([
    ['a stopped guest', guest(), true, [...BUILD, ...SWITCH]],
    ['a running guest', guest({ active: true, running: 1 }), true, [...BUILD, ...SWITCH_RUNNING]],
    ['a running guest with --no-switch', guest({ active: true, running: 1 }), false, BUILD],
    ['a guest with a pending generation', waiting('vim'), true, [...BUILD, ...SWITCH]],
  ])('on %s: %#', (_, state, doSwitch, steps) => {
    expect(actions(planInstall(state, packages('postfix'), { doSwitch }))).toEqual(steps);
  });

  test('layers only what is new onto the tree that is there, and records everything', () => {
    const plan = planInstall(layered('vim'), packages('postfix', 'vim'), { doSwitch: true });
    expect(step(plan, 'fetch-base')).toMatchObject({ generation: 2, from: 1 });
    expect(step(plan, 'layer')).toMatchObject({
      onto: 1,
      packages: ['postfix'],
      upgrade: false,
      unlike: undefined,
    });
    expect(step(plan, 'render')).toMatchObject({ origin: 'install', requested: ['vim', 'postfix'] });
    expect(step(plan, 'deploy')).toMatchObject({ generation: 2, previous: 1 });
  });

  test('goes on from the pending generation, so that nothing that waits is lost', () => {
    const plan = planInstall(waiting('vim'), packages('postfix'), { doSwitch: false });
    expect(step(plan, 'layer')).toMatchObject({ generation: 3, onto: 2, packages: ['postfix'] });
    expect(step(plan, 'render')).toMatchObject({ requested: ['vim', 'postfix'] });
    expect(step(plan, 'deploy')).toMatchObject({ previous: 1 });
  });

  test('of what is there is unchanged', () => {
    expect(planInstall(layered('postfix'), packages('postfix'), { doSwitch: true })).toBe('unchanged');
    expect(planInstall(waiting('postfix'), packages('postfix'), { doSwitch: false })).toBe('unchanged');
    expect(actions(planInstall(waiting('postfix'), packages('postfix'), { doSwitch: true }))).toEqual(
      SWITCH.slice(1),
    );
    expect(planInstall(guest(), [], { doSwitch: true })).toBe('unchanged');
  });

  test('of another version replaces the request', () => {
    const plan = planInstall(layered('postfix', 'vim'), packages('postfix=3.7'), { doSwitch: true });
    expect(step(plan, 'layer')).toMatchObject({ packages: ['postfix=3.7'] });
    expect(step(plan, 'render')).toMatchObject({ requested: ['vim', 'postfix=3.7'] });
    const back = planInstall(layered('postfix=3.7'), packages('postfix'), { doSwitch: true });
    expect(step(back, 'render')).toMatchObject({ requested: ['postfix'] });
  });
});

describe('uninstall', () => {
  test('builds the rest of the requests on the base again', () => {
    const plan = planUninstall(layered('vim', 'postfix', 'git'), packages('postfix'), { doSwitch: true });
    expect(actions(plan)).toEqual([...BUILD, ...SWITCH]);
    expect(step(plan, 'fetch-base')).toMatchObject({ from: 1 });
    expect(step(plan, 'layer')).toMatchObject({
      onto: 'base',
      packages: ['vim', 'git'],
      upgrade: true,
      unlike: undefined,
    });
    expect(step(plan, 'render')).toMatchObject({ origin: 'uninstall', requested: ['vim', 'git'] });
  });

  test('takes a request away whatever version it was made with', () => {
    const plan = planUninstall(layered('postfix=3.7', 'vim'), packages('postfix'), { doSwitch: false });
    expect(step(plan, 'render')).toMatchObject({ requested: ['vim'] });
    expect(actions(plan)).toEqual(BUILD);
  });

  test('of the last one leaves the bare base', () => {
    expect(step(planUninstall(layered('vim'), packages('vim'), { doSwitch: true }), 'layer')).toMatchObject({
      packages: [],
    });
  });

  test('of a package that is not layered is refused, and says what is', () => {
    const failure = failureOf(() =>
      planUninstall(layered('vim', 'git'), packages('vim', 'bash'), { doSwitch: true }),
    );
    expect(failure).toMatchObject({ reason: 'not-found', guest: 'mail', message: 'not layered: bash' });
    expect(failure.hint).toContain('vim, git');
    expect(failureOf(() => planUninstall(guest(), packages('bash'), { doSwitch: true })).hint).toContain(
      'no layered packages',
    );
  });
});

test('uninstall of what a waiting generation has taken out already takes that one up', () => {
  const state = guest({
    generations: [generation(1, ['vim']), generation(2)],
    events: [event(1)],
  });
  expect(actions(planUninstall(state, packages('vim'), { doSwitch: true }))).toEqual(SWITCH.slice(1));
  expect(planUninstall(state, packages('vim'), { doSwitch: false })).toBe('unchanged');
});

describe('upgrade', () => {
  test('refreshes the base, layers every request on it and must differ from what is there', () => {
    const plan = planUpgrade(layered('vim', 'postfix'), { doSwitch: true });
    expect(actions(plan)).toEqual([...BUILD, ...SWITCH]);
    expect(step(plan, 'fetch-base')).toMatchObject({ generation: 2, from: 'refresh' });
    expect(step(plan, 'layer')).toMatchObject({
      onto: 'base',
      packages: ['vim', 'postfix'],
      upgrade: true,
      unlike: 1,
    });
  });

  test('compares with the pending generation and keeps its requests', () => {
    const plan = planUpgrade(waiting('vim'), { doSwitch: false });
    expect(step(plan, 'layer')).toMatchObject({ generation: 3, packages: ['vim'], unlike: 2 });
    expect(actions(plan)).toEqual(BUILD);
  });

  test('of a running guest restarts it around the swap only', () => {
    const steps = actions(planUpgrade(guest({ active: true, running: 1 }), { doSwitch: true }));
    expect(steps).toEqual([...BUILD, ...SWITCH_RUNNING]);
    expect(steps.indexOf('render')).toBeLessThan(steps.indexOf('stop'));
  });

  test('never uses the number of a generation that was removed', () => {
    const state = guest({ events: [event(1), event(5, 1), event(1, 5)] });
    expect(step(planUpgrade(state, { doSwitch: true }), 'swap')).toMatchObject({
      generation: 6,
      previous: 1,
    });
  });
});
