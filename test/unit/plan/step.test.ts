import { describe, expect, test } from 'vitest';
import { describe as sentence, type Action, type Step, type StepArguments } from '../../../src/plan/step.ts';
import { parseCommit, parsePackageName } from '../../../src/model/names.ts';
import { NO_OVERRIDES, type LocalRpm } from '../../../src/model/overrides.ts';
import { mail, packages } from './states.ts';

const COMMIT = parseCommit('a'.repeat(64));
const HELLO: LocalRpm = {
  name: parsePackageName('hello'),
  nevra: 'hello-2.0-1.noarch',
  sha256: 'b'.repeat(64),
};

/** Total: a new action does not compile without samples here. */
const SAMPLES: { [A in Action]: StepArguments[A][] } = {
  'prepare-host': [{}],
  'make-sysroot': [{ guest: mail }],
  'fetch-base': [
    { guest: mail, generation: 2, from: 'source' },
    { guest: mail, generation: 2, from: 'refresh' },
    { guest: mail, generation: 2, from: 1 },
  ],
  layer: [
    {
      ...{ guest: mail, generation: 2, onto: 'base', packages: [], upgrade: true, unlike: 1, retry: false },
      overrides: { removed: packages('nano'), replaced: [HELLO] },
    },
    {
      guest: mail,
      generation: 2,
      onto: 1,
      packages: packages('vim', 'git'),
      overrides: NO_OVERRIDES,
      upgrade: false,
      unlike: undefined,
      retry: true,
    },
  ],
  'open-window': [{ guest: mail }],
  'seed-window': [
    { guest: mail, generation: 2, onto: 'base' },
    { guest: mail, generation: 2, onto: 1 },
  ],
  'clear-window': [{ guest: mail }],
  'restage-host': [{ guest: mail }],
  'close-window': [{ guest: mail }],
  'adopt-tree': [
    { guest: mail, generation: 1, commit: COMMIT, base: COMMIT, kept: true },
    { guest: mail, generation: 1, commit: COMMIT, base: parseCommit('b'.repeat(64)), kept: false },
  ],
  'adopt-data': [
    { guest: mail, stateroot: 'guest', deployments: [`${COMMIT}.0`] },
    { guest: mail, stateroot: 'guest', deployments: [`${COMMIT}.0`, `${COMMIT}.1`] },
  ],
  deploy: [
    { guest: mail, generation: 1, previous: undefined },
    { guest: mail, generation: 2, previous: 1 },
  ],
  'keep-rpms': [
    { guest: mail, files: [{ path: '/srv/hello.rpm', ...HELLO }] },
    { guest: mail, files: [HELLO, HELLO].map((each) => ({ path: '/srv/a\nb.rpm', ...each })) },
  ],
  render: [
    {
      ...{ guest: mail, generation: 1, origin: 'create', requested: [], definition: 'a\nb' },
      overrides: NO_OVERRIDES,
    },
  ],
  define: [{ guest: mail, text: '[Guest]\n' }],
  redefine: [{ guest: mail, text: '[Guest]\n', before: '' }],
  keep: [{ guest: mail, generation: 2 }],
  preflight: [{ guest: mail, generation: 2 }],
  boot: [{ guest: mail }],
  'hold-ports': [{ guest: mail, generation: 2 }],
  'set-ports': [{ guest: mail, generation: 2, previous: 1 }],
  'start-beside': [{ guest: mail, generation: 2 }],
  'move-ports': [
    { guest: mail, to: 'next' },
    { guest: mail, to: 'own' },
  ],
  'stop-beside': [{ guest: mail }],
  halt: [{ guest: mail }],
  stop: [{ guest: mail }],
  'merge-etc': [{ guest: mail, generation: 2, previous: 1 }],
  swap: [{ guest: mail, generation: 2, previous: undefined }],
  link: [{ guest: mail }],
  reload: [{}],
  start: [{ guest: mail }],
  'check-health': [
    { guest: mail, generation: 2, verdict: 'binding' },
    { guest: mail, generation: 2, verdict: 'told' },
  ],
  settle: [{ guest: mail, generation: 2, previous: undefined, reason: 'x', unproven: undefined }],
  retire: [{ guest: mail, generation: 2 }],
  prune: [{ guest: mail }, { guest: undefined }],
  unlink: [{ guest: mail }],
  'keep-data': [{ guest: mail, directory: '/kept' }],
  'delete-guest': [{ guest: mail }],
};

const steps = Object.entries(SAMPLES).flatMap(([action, samples]) =>
  samples.map((sample) => ({ action, ...sample }) as Step),
);

describe('describe()', () => {
  test.each(steps.map((step) => [step.action, step] as const))('says %s in one whole sentence', (_, step) => {
    const text = sentence(step);
    expect(text).toMatch(/^[A-Z][^\n]*\.$/);
    expect(text).not.toMatch(/undefined|NaN|\[object|null/);
  });

  test('says different things of different steps', () => {
    expect(new Set(steps.map(sentence)).size).toBe(steps.length);
  });

  test('names the packages and where they go', () => {
    expect(sentence(steps.filter((step) => step.action === 'layer')[1] ?? { action: 'reload' })).toBe(
      'Build the tree of generation 2: vim, git on the tree of generation 1.',
    );
  });
});
