import { stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { encode } from '../../../src/formats/gvariant.ts';
import { CHECKS, runChecks, type Checked } from '../../../src/guard/checks.ts';
import { observeHost } from '../../../src/guard/host.ts';
import { refuseWindow } from '../../../src/guard/preconditions.ts';
import { describeRepair, planRepairs } from '../../../src/guard/repair.ts';
import { Failure } from '../../../src/model/failure.ts';
import { failureOf } from '../failures.ts';
import { commit, fakeHost, id, type FakeHost } from './hosts.ts';

interface Case {
  what: string;
  make: (host: FakeHost) => Promise<unknown>;
  /** Checks that find something. */
  found: string[];
  /** Kinds of repairs. */
  repairs: string[];
  /** Part of the message with which a window is refused. */
  refused?: RegExp;
}

const CASES: Case[] = [
  { what: 'nothing staged', make: () => Promise.resolve(), found: [], repairs: [] },
  {
    what: 'an update of the host staged',
    make: async (host) => {
      await host.deployment('fedora', '2');
      await host.stage('fedora', '2');
    },
    found: [],
    repairs: [],
  },
  {
    what: 'an update staged and locked by a file',
    make: async (host) => {
      await host.deployment('fedora', '2');
      await host.stage('fedora', '2');
      await host.put('run/ostree/staged-deployment-locked', '');
    },
    found: ['staged-locked'],
    repairs: [],
  },
  {
    what: 'an update staged and locked by a key',
    make: async (host) => {
      await host.deployment('fedora', '2');
      await host.stage('fedora', '2', { locked: true });
    },
    found: ['staged-locked'],
    repairs: [],
  },
  {
    what: 'a guest staged by the old recipe',
    make: async (host) => {
      await host.deployment('mail', '5');
      await host.stage('mail', '5');
    },
    found: ['staged-foreign', 'foreign-deployments'],
    repairs: ['unstage'],
    refused: /"mail" is staged to become what the host boots next/,
  },
  {
    what: 'a dangling staged file',
    make: (host) => host.stage('fedora', '9'),
    found: ['staged-dangling'],
    repairs: ['remove-staged-file'],
    refused: /dangling/,
  },
  {
    what: 'a damaged staged file',
    make: (host) => host.put('run/ostree/staged-deployment', 'rubbish'),
    found: ['staged-readable'],
    repairs: [],
    refused: /cannot be read/,
  },
  {
    what: 'an unlisted guest with a useless pin',
    make: (host) => host.deployment('mail', '5', '[origin]\nrefspec=x\n[libostree-transient]\npinned=true\n'),
    found: ['unlisted-deployments', 'foreign-deployments'],
    repairs: [],
  },
  {
    what: 'another operating system as the boot default',
    make: async (host) => {
      await host.deployment('mail', '5');
      await host.entry(3, 'mail', '5');
    },
    found: ['boot-default', 'foreign-deployments'],
    repairs: [],
  },
  {
    what: 'a boot entry that leads nowhere',
    make: (host) => host.entry(3, 'fedora', '8'),
    found: ['boot-entries'],
    repairs: [],
  },
  {
    what: 'leftovers of a window',
    make: async (host) => {
      await host.deployment('guestree-mail', '5');
      await host.ref('heads/guestree/window/base', '5');
    },
    found: ['window-leftovers'],
    repairs: ['remove-stateroot', 'remove-ref'],
  },
  {
    what: 'a soft reboot prepared',
    make: (host) => host.put('run/ostree/nextroot-booted', ''),
    found: ['soft-reboot'],
    repairs: [],
    refused: /soft reboot/,
  },
  {
    what: 'an update with initrds of its own',
    make: async (host) => {
      await host.deployment('fedora', '2');
      await host.stage('fedora', '2', { overlayInitrds: ['/run/ostree/staged-initrds/x'] });
    },
    found: [],
    repairs: [],
    refused: /initrds/,
  },
];

describe.each(CASES)('$what', ({ make, found, repairs, refused }) => {
  test('is found by the checks that are for it, and by no other', async () => {
    const host = await fakeHost();
    await make(host);
    const checked: Checked = { host: await observeHost(host), window: undefined };
    const results = runChecks(checked);
    expect(results.filter((each) => each.result === 'found').map((each) => each.name)).toEqual(found);
    expect(results.filter((each) => each.result === 'not-run')).toEqual([]);
  });

  test('is repaired where that is safe, and a window is refused where it could not be closed', async () => {
    const host = await fakeHost();
    await make(host);
    const state = await observeHost(host);
    expect(planRepairs(state, false).map((each) => each.kind)).toEqual(repairs);
    if (refused === undefined) refuseWindow(state);
    else {
      const failure = failureOf(() => refuseWindow(state));
      expect(failure.message).toMatch(refused);
      expect(failure.hint).toBeDefined();
    }
  });
});

describe('checks', () => {
  test('have names of their own, and can be left out', async () => {
    const host = await fakeHost();
    const names = CHECKS.map((check) => check.name);
    expect(new Set(names).size).toBe(names.length);
    const checked = { host: await observeHost(host), window: undefined };
    expect(runChecks(checked, ['boot-default']).map((each) => each.name)).not.toContain('boot-default');
  });

  test('say when they could not look', async () => {
    const host = await fakeHost();
    const elsewhere = { ...host, root: host.boot };
    const checked = { host: await observeHost(elsewhere), window: new Failure('guard', 'damaged') };
    const results = runChecks(checked);
    const notRun = results.filter((each) => each.result === 'not-run').map((each) => each.name);
    expect(notRun).toEqual(['boot-default', 'foreign-deployments', 'window-open']);
    expect(results.find((each) => each.name === 'booted-deployment')?.result).toBe('found');
  });

  test('find a window that nobody holds', async () => {
    const state = await observeHost(await fakeHost());
    const open = (heldByProcess: boolean): string =>
      runChecks({ host: state, window: { guest: 'mail', heldByProcess } }).find(
        (each) => each.name === 'window-open',
      )?.result ?? '';
    expect([open(true), open(false)]).toEqual(['ok', 'found']);
  });

  test('know the booted deployment of a composefs host by what ostree-prepare-root wrote', async () => {
    const host = await fakeHost();
    const composefs = { ...host, root: '/' };
    expect((await observeHost(composefs)).deployments.filter((each) => each.booted)).toEqual([]);
    const { dev, ino } = await stat(host.root);
    const data = new Uint8Array(16);
    new DataView(data.buffer).setBigUint64(0, BigInt(dev), true);
    new DataView(data.buffer).setBigUint64(8, BigInt(ino), true);
    const backing = new Map([['backing-root-device-inode', { type: '(tt)', data }]]);
    await host.put('run/ostree-booted', encode('a{sv}', backing));
    const booted = (await observeHost(composefs)).deployments.filter((each) => each.booted);
    expect(booted.map((each) => each.id)).toEqual([id('1')]);
  });
});

test('repairs of an open window come first and say what they do', async () => {
  const host = await fakeHost();
  await host.deployment('guestree-mail', '5');
  await host.stage('guestree-mail', '5');
  const repairs = planRepairs(await observeHost(host), true);
  expect(repairs.map((each) => each.kind)).toEqual(['restore-window']);
  expect(
    describeRepair({ kind: 'unstage', stateroot: 'mail', commit: commit('5'), booted: 'fedora' }),
  ).toContain('rescued/mail/555555555555');
  expect(id('5')).toMatch(/\.0$/);
});
