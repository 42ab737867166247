import { describe, expect, test } from 'vitest';
import { parseEngineChoice } from '../../../src/model/engine.ts';
import type { Overrides } from '../../../src/model/overrides.ts';
import { planInstall, planRebase, planUninstall, planUpgrade } from '../../../src/plan/operations.ts';
import { planOverride, type LocalRpmFile, type OverrideChange } from '../../../src/plan/overrides.ts';
import type { GuestState } from '../../../src/plan/state.ts';
import type { Plan } from '../../../src/plan/step.ts';
import { failureOf } from '../failures.ts';
import { actions, definition, definitionText, generation, guest, packages } from './states.ts';

const BASE = new Set(['nano', 'glibc', 'hello-libs']);

function file(name: string, version: string): LocalRpmFile {
  const [one = mustBe()] = packages(name);
  return {
    ...{ name: one, nevra: `${name}-${version}-1.noarch`, path: `/srv/${name}.rpm` },
    sha256: Buffer.from(`${name}${version}`).toString('hex').padStart(64, '0'),
  };
}

function mustBe(): never {
  throw new Error('there is one');
}

const stored = (each: LocalRpmFile): Overrides['replaced'][number] => ({
  name: each.name,
  nevra: each.nevra,
  sha256: each.sha256,
});

const GLIBC = file('glibc', '2.42');
const LIBS = file('hello-libs', '2.0');

function guestWith(
  removed: readonly string[],
  replaced: readonly LocalRpmFile[],
  engine = 'rpm-ostree:host',
): GuestState {
  return {
    ...guest(),
    definition: { ...definition, engine: parseEngineChoice(engine) },
    generations: [
      {
        ...generation(1, ['hello']),
        engine,
        overrides: { removed: packages(...removed), replaced: replaced.map(stored) },
      },
    ],
  };
}

function after(state: GuestState, change: OverrideChange): Overrides {
  const plan = planOverride(state, change, BASE, { doSwitch: true });
  const render = steps(plan).find((step) => step.action === 'render');
  const layer = steps(plan).find((step) => step.action === 'layer');
  expect(layer).toMatchObject({ onto: 'base', packages: ['hello'], overrides: render?.overrides });
  return render?.overrides ?? mustBe();
}

const steps = (plan: Plan | 'unchanged'): Plan['steps'] => (plan === 'unchanged' ? mustBe() : plan.steps);

describe('override', () => {
  test('removes packages of the base, once, and keeps the requested ones', () => {
    const change = { action: 'remove', packages: packages('nano', 'glibc') } as const;
    const result = after(guestWith(['nano'], []), change);
    expect(result).toEqual({ removed: ['nano', 'glibc'], replaced: [] });
  });

  test('replaces by name: another file for a package takes the place of the one before', () => {
    const newer = file('glibc', '2.43');
    expect(after(guestWith([], [GLIBC]), { action: 'replace', files: [newer, LIBS] })).toEqual({
      removed: [],
      replaced: [stored(newer), stored(LIBS)],
    });
  });

  test('a package is removed or replaced, whichever was asked for last', () => {
    expect(after(guestWith(['glibc'], []), { action: 'replace', files: [GLIBC] })).toEqual({
      removed: [],
      replaced: [stored(GLIBC)],
    });
    expect(after(guestWith([], [GLIBC]), { action: 'remove', packages: packages('glibc') })).toEqual({
      removed: ['glibc'],
      replaced: [],
    });
  });

  test('resets some or all', () => {
    const state = guestWith(['nano'], [GLIBC, LIBS]);
    expect(after(state, { action: 'reset', packages: packages('nano', 'glibc') })).toEqual({
      removed: [],
      replaced: [stored(LIBS)],
    });
    expect(after(state, { action: 'reset', packages: 'all' })).toEqual({ removed: [], replaced: [] });
  });

  test('copies files before anything is built, and does its work in a window', () => {
    const plan = planOverride(guestWith([], []), { action: 'replace', files: [LIBS] }, BASE, {
      doSwitch: false,
    });
    expect(actions(plan).slice(0, 5)).toEqual([
      'prepare-host',
      'keep-rpms',
      'fetch-base',
      'open-window',
      'seed-window',
    ]);
    expect(steps(plan)[1]).toMatchObject({ files: [{ path: '/srv/hello-libs.rpm', name: 'hello-libs' }] });
  });

  test.each<[string, OverrideChange]>([
    ['removed again', { action: 'remove', packages: packages('nano') }],
    ['replaced by the same files in another order', { action: 'replace', files: [LIBS, GLIBC] }],
  ])('what is %s is unchanged', (_, change) => {
    expect(planOverride(guestWith(['nano'], [GLIBC, LIBS]), change, BASE, { doSwitch: true })).toBe(
      'unchanged',
    );
  });

  test('nothing to reset at all is unchanged', () => {
    expect(
      planOverride(guestWith([], []), { action: 'reset', packages: 'all' }, BASE, { doSwitch: true }),
    ).toBe('unchanged');
  });
});

describe('an override is refused', () => {
  test.each(['apt', 'dnf'])('with %s, whether it was chosen or found', (engine) => {
    const change = { action: 'remove', packages: packages('nano') } as const;
    for (const chosen of [engine, 'auto']) {
      const state = guestWith([], [], engine);
      state.definition = { ...state.definition, engine: parseEngineChoice(chosen) };
      const failure = failureOf(() => planOverride(state, change, BASE, { doSwitch: true }));
      expect(failure).toMatchObject({ reason: 'unsupported', guest: 'mail' });
      expect(failure.hint).not.toBe('');
    }
  });

  test('of what the base does not have, also for a layered package', () => {
    const remove = (name: string): ReturnType<typeof failureOf> =>
      failureOf(() =>
        planOverride(guestWith([], []), { action: 'remove', packages: packages(name) }, BASE, {
          doSwitch: true,
        }),
      );
    expect(remove('emacs')).toMatchObject({ reason: 'not-found', message: 'not in the base: emacs' });
    expect(remove('hello').hint).toContain('guestree uninstall mail hello');
    const replace = { action: 'replace', files: [file('emacs', '1')] } as const;
    expect(failureOf(() => planOverride(guestWith([], []), replace, BASE, { doSwitch: true })).reason).toBe(
      'not-found',
    );
  });

  test('of a reset of what is not overridden, and it is told what is', () => {
    const reset = { action: 'reset', packages: packages('glibc') } as const;
    const failure = failureOf(() =>
      planOverride(guestWith(['nano'], [LIBS]), reset, BASE, { doSwitch: true }),
    );
    expect(failure).toMatchObject({ reason: 'not-found', hint: 'Overridden are: nano, hello-libs.' });
    expect(failureOf(() => planOverride(guestWith([], []), reset, BASE, { doSwitch: true })).hint).toContain(
      'no overrides',
    );
  });
});

describe('overrides survive', () => {
  const state = guestWith(['nano'], [LIBS]);
  const overrides = { removed: ['nano'], replaced: [stored(LIBS)] };
  test.each<[string, Plan | 'unchanged']>([
    ['install', planInstall(state, packages('vim'), { doSwitch: true })],
    ['uninstall', planUninstall(state, packages('hello'), { doSwitch: true })],
    ['upgrade', planUpgrade(state, { doSwitch: true })],
    ['rebase', planRebase(state, { before: definitionText, text: hosted() }, { doSwitch: true })],
  ])('%s, in a window even without packages', (_, plan) => {
    expect(steps(plan).find((step) => step.action === 'layer')).toMatchObject({ overrides });
    expect(steps(plan).find((step) => step.action === 'render')).toMatchObject({ overrides });
    expect(actions(plan)).toContain('open-window');
  });
});

function hosted(): string {
  return definitionText.replace('From=debian:trixie', 'From=dir:/srv/other\nEngine=rpm-ostree:host');
}
