import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attribute,
  compareFingerprints,
  refuseSoftReboot,
  takeFingerprint,
  tellDifference,
  type Fingerprint,
} from '../../../src/guard/fingerprint.ts';
import { observeHost } from '../../../src/guard/host.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';
import { commit, fakeHost, id, type FakeHost } from './hosts.ts';

const words = (before: Fingerprint, after: Fingerprint): string[] =>
  compareFingerprints(before, after).map(tellDifference);

describe('the fingerprint of a host', () => {
  test('has every part that guestree must leave alone', async () => {
    const host = await fakeHost();
    await host.deployment('fedora', '2');
    await host.stage('fedora', '2');
    expect([...(await takeFingerprint(host)).keys()]).toEqual([
      'boot loader directory',
      'boot entry ostree-2-fedora.conf',
      'boot entry ostree-1-fedora.conf',
      'kernel directory fedora-f',
      '/run/ostree/staged-deployment',
      `deployment fedora ${id('0')}`,
      `deployment fedora ${id('1')}`,
      `deployment fedora ${id('2')}`,
      'ref ostree/1/1/0',
      'ref fedora:stable',
    ]);
  });

  test('is equal when nothing changed', async () => {
    const host = await fakeHost();
    expect(words(await takeFingerprint(host), await takeFingerprint(host))).toEqual([]);
  });

  test('of a host without ostree is nearly empty', async () => {
    const root = await temporaryDirectory();
    const at = (name: string): string => join(root, name);
    const places = { boot: at('a'), run: at('b'), sysroot: at('c'), root, booted: at('d') };
    expect([...(await takeFingerprint(places))]).toEqual([['boot loader directory', '']]);
  });

  test.each<[string, (host: FakeHost) => Promise<void>, string]>([
    [
      'a boot entry is edited',
      (host) => host.put('boot/loader.1/entries/ostree-1-fedora.conf', 'title Guest\n'),
      'boot entry ostree-1-fedora.conf changed',
    ],
    ['a boot entry is added', (host) => host.entry(3, 'mail', '7'), 'boot entry ostree-3-mail.conf is new'],
    ['a deployment is staged', (host) => host.stage('fedora', '2'), '/run/ostree/staged-deployment is new'],
    [
      'finalisation is locked',
      (host) => host.put('run/ostree/staged-deployment-locked', ''),
      '/run/ostree/staged-deployment-locked is new',
    ],
    ['a deployment is made', (host) => host.deployment('mail', 'e'), `deployment mail ${id('e')} is new`],
    [
      'an origin is edited',
      (host) => host.deployment('fedora', '0', '[origin]\nrefspec=evil\n'),
      `deployment fedora ${id('0')} changed`,
    ],
    [
      'a kernel is removed',
      (host) => host.remove('boot/ostree/fedora-f'),
      'kernel directory fedora-f is gone',
    ],
    ['a ref moves', (host) => host.ref('remotes/fedora/stable', '2'), 'ref fedora:stable changed'],
    ['a ref is made', (host) => host.ref('heads/guest/mail', '2'), 'ref guest/mail is new'],
  ])('differs when %s', async (_, change, expected) => {
    const host = await fakeHost();
    const before = await takeFingerprint(host);
    await change(host);
    expect(words(before, await takeFingerprint(host))).toEqual([expected]);
  });

  test('differs when one bit of the staged deployment does', async () => {
    const host = await fakeHost();
    await host.stage('fedora', '2');
    const before = await takeFingerprint(host);
    await host.stage('fedora', '2', { locked: true });
    expect(words(before, await takeFingerprint(host))).toEqual(['/run/ostree/staged-deployment changed']);
  });

  test('differs when the boot loader directory is swapped', async () => {
    const host = await fakeHost();
    const before = await takeFingerprint(host);
    await rm(join(host.boot, 'loader'));
    await symlink('loader.0', join(host.boot, 'loader'));
    expect(words(before, await takeFingerprint(host))).toContain('boot loader directory changed');
  });
});

describe('comparing', () => {
  const prints = fc
    .dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 2 }))
    .map((record): Fingerprint => new Map(Object.entries(record)));

  test('finds a difference if and only if there is one', () => {
    fc.assert(
      fc.property(prints, prints, (a, b) => {
        expect(compareFingerprints(a, new Map(a))).toEqual([]);
        const parts = [...new Set([...a.keys(), ...b.keys()])];
        const different = parts.filter((part) => a.get(part) !== b.get(part));
        expect(compareFingerprints(a, b)).toHaveLength(different.length);
      }),
    );
  });
});

describe('a difference', () => {
  const attributed = async (
    change: (host: FakeHost) => Promise<void>,
    window: boolean,
  ): Promise<{ ours: string[]; foreign: string[] }> => {
    const host = await fakeHost();
    await host.deployment('fedora', '2');
    await host.stage('fedora', '2');
    const before = await takeFingerprint(host);
    await change(host);
    const differences = compareFingerprints(before, await takeFingerprint(host));
    const { ours, foreign } = attribute(differences, await observeHost(host), window);
    return { ours: ours.map((each) => each.part), foreign: foreign.map((each) => each.part) };
  };
  const staged = '/run/ostree/staged-deployment';

  test('that the host’s updater made is told apart', async () => {
    const update = async (host: FakeHost): Promise<void> => {
      await host.deployment('fedora', '3');
      await host.stage('fedora', '3');
      await host.ref('remotes/fedora/stable', '3');
    };
    for (const window of [true, false]) {
      const { ours, foreign } = await attributed(update, window);
      expect(ours).toEqual([]);
      expect(foreign).toEqual([staged, 'ref fedora:stable', `deployment fedora ${id('3')}`]);
    }
  });

  test('that bears guestree’s names is its own', async () => {
    const { ours, foreign } = await attributed(async (host) => {
      await host.deployment('guestree-mail', '4');
      await host.stage('guestree-mail', '4');
      await host.ref('heads/guestree/window/base', '4');
    }, false);
    expect(ours.sort()).toEqual(
      [staged, `deployment guestree-mail ${id('4')}`, 'ref guestree/window/base'].sort(),
    );
    expect(foreign).toEqual([]);
  });

  test('of a staged deployment that is gone is guestree’s after a window, somebody else’s without one', async () => {
    const drop = (host: FakeHost): Promise<void> => host.remove('run/ostree/staged-deployment');
    expect(await attributed(drop, true)).toEqual({ ours: [staged], foreign: [] });
    expect(await attributed(drop, false)).toEqual({ ours: [], foreign: [staged] });
  });
});

describe('a prepared soft reboot', () => {
  test('is not cancelled: the command is refused', async () => {
    const host = await fakeHost();
    await refuseSoftReboot(host.run);
    await host.put('run/ostree/nextroot-booted', '');
    const failure = await failureOfLater(refuseSoftReboot(host.run));
    expect(failure.reason).toBe('conflict');
    expect(failure.hint).toContain('systemctl soft-reboot');
  });
});

test('commits of tests are commits', () => {
  expect(commit('a')).toHaveLength(64);
});
