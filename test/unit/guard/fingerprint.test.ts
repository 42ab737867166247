import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareFingerprints,
  refuseSoftReboot,
  takeFingerprint,
  type Fingerprint,
  type HostPlaces,
} from '../../../src/guard/fingerprint.ts';
import type { Runner } from '../../../src/system/run.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';

/** A host without a repository is looked at without calling a program. */
const runner: Runner = { run: (program) => Promise.reject(new Error(`${program} was called`)) };

async function host(): Promise<HostPlaces & { put: (path: string, text: string) => Promise<void> }> {
  const root = await temporaryDirectory();
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await put('boot/loader.1/entries/ostree-1-fedora.conf', 'title Fedora\n');
  await put('boot/loader.1/entries/ostree-2-fedora.conf', 'title Fedora old\n');
  await symlink('loader.1', join(root, 'boot/loader'));
  await put('boot/ostree/fedora-0f/vmlinuz', 'kernel');
  await put('run/ostree/staged-deployment', 'staged \0 binary');
  await put('sysroot/ostree/deploy/fedora/deploy/0f.0/usr/x', '');
  await put('sysroot/ostree/deploy/fedora/deploy/0f.0.origin', '[origin]\n');
  return {
    boot: join(root, 'boot'),
    run: join(root, 'run/ostree'),
    sysroot: join(root, 'sysroot'),
    put,
  };
}

describe('the fingerprint of a host', () => {
  test('has every part that guestree must leave alone', async () => {
    expect([...(await takeFingerprint(runner, await host())).keys()]).toEqual([
      'boot loader directory',
      'boot entry ostree-1-fedora.conf',
      'boot entry ostree-2-fedora.conf',
      'kernel directory fedora-0f',
      '/run/ostree/staged-deployment',
      'deployment fedora 0f.0',
      'deployment fedora 0f.0.origin',
    ]);
  });

  test('is equal when nothing changed', async () => {
    const places = await host();
    const before = await takeFingerprint(runner, places);
    expect(compareFingerprints(before, await takeFingerprint(runner, places))).toEqual([]);
  });

  test('of a host without ostree is nearly empty', async () => {
    const root = await temporaryDirectory();
    const places = { boot: join(root, 'a'), run: join(root, 'b'), sysroot: join(root, 'c') };
    expect([...(await takeFingerprint(runner, places))]).toEqual([['boot loader directory', '']]);
  });

  test.each<[string, (places: Awaited<ReturnType<typeof host>>) => Promise<void>, string]>([
    [
      'a boot entry is edited',
      (places) => places.put('boot/loader.1/entries/ostree-1-fedora.conf', 'title Guest\n'),
      'boot entry ostree-1-fedora.conf changed',
    ],
    [
      'a boot entry is added',
      (places) => places.put('boot/loader.1/entries/ostree-3-mail.conf', ''),
      'boot entry ostree-3-mail.conf is new',
    ],
    [
      'the staged deployment is dropped',
      (places) => rm(join(places.run, 'staged-deployment')),
      '/run/ostree/staged-deployment is gone',
    ],
    [
      'the staged deployment is another one',
      (places) => places.put('run/ostree/staged-deployment', 'staged \0 binarz'),
      '/run/ostree/staged-deployment changed',
    ],
    [
      'finalisation is locked',
      (places) => places.put('run/ostree/staged-deployment-locked', ''),
      '/run/ostree/staged-deployment-locked is new',
    ],
    [
      'a deployment is made',
      (places) => places.put('sysroot/ostree/deploy/mail/deploy/0e.0/x', ''),
      'deployment mail 0e.0 is new',
    ],
    [
      'a kernel is removed',
      (places) => rm(join(places.boot, 'ostree/fedora-0f'), { recursive: true }),
      'kernel directory fedora-0f is gone',
    ],
  ])('differs when %s', async (_, change, words) => {
    const places = await host();
    const before = await takeFingerprint(runner, places);
    await change(places);
    expect(compareFingerprints(before, await takeFingerprint(runner, places))).toEqual([words]);
  });

  test('differs when the boot loader directory is swapped', async () => {
    const places = await host();
    const before = await takeFingerprint(runner, places);
    await places.put('boot/loader.0/entries/ostree-1-fedora.conf', 'title Fedora\n');
    await places.put('boot/loader.0/entries/ostree-2-fedora.conf', 'title Fedora old\n');
    await rm(join(places.boot, 'loader'));
    await symlink('loader.0', join(places.boot, 'loader'));
    expect(compareFingerprints(before, await takeFingerprint(runner, places))).toEqual([
      'boot loader directory changed',
    ]);
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

describe('a prepared soft reboot', () => {
  test('is not cancelled: the command is refused', async () => {
    const places = await host();
    await expect(refuseSoftReboot(places.run)).resolves.toBeUndefined();
    await places.put('run/ostree/nextroot-booted', '');
    const failure = await failureOfLater(refuseSoftReboot(places.run));
    expect(failure.reason).toBe('conflict');
    expect(failure.hint).toContain('systemctl soft-reboot');
  });
});
