import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import { deployByHand, fingerprintOf } from '../lab/recipe.ts';
import { expectNothingLeft, guestree, killEverywhere, succeed } from './boundaries.ts';

/** A host as Fedora has it, with a read-only /sysroot; the guest is tiny and is never booted. */
const STATE = '/sysroot/ostree/guestree';
const ADOPT = ['adopt', 'tiny', '--as', 'box'];
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ name: 'adopting', sysrootReadOnly: true });
  await lab.installGuestree();
  // What `inspect.ts` wants of a system. The base has no kernel; the tree with the layer has one, for `ostree admin`.
  await writable(`
    mkdir -p /var/tmp/tree/usr/bin /var/tmp/tree/usr/etc /var/tmp/tree/usr/lib/systemd
    cd /var/tmp/tree
    cp /usr/bin/true usr/bin/sh
    cp /usr/lib/systemd/systemd usr/lib/systemd/systemd
    echo ID=tiny > usr/lib/os-release
    echo pristine > usr/etc/changed
    echo pristine > usr/etc/removed
    base=$(ostree commit --repo=/ostree/repo --branch=tiny/base --tree=dir=.)
    mkdir -p usr/lib/modules/1.0
    echo kernel > usr/lib/modules/1.0/vmlinuz
    ostree commit --repo=/ostree/repo --branch=tiny/layered --parent=$base --tree=dir=. \\
      --add-metadata=rpmostree.clientlayer=true
  `);
  const directory = await deployByHand(lab, 'tiny', 'tiny/layered');
  await writable(`
    cd ${directory}
    echo mine > etc/changed
    rm etc/removed
    mkdir -p ../../var/lib/data
    echo precious > ../../var/lib/data/file
    chown -R 1234:2345 ../../var/lib/data
    mkdir /var/tmp/outside
    ln -s /var/tmp/outside ../../var/log
    ln -s /var/tmp/outside etc/outside
    printf '[origin]\\nbaserefspec=tiny/base\\n\\n[packages]\\nrequested=marker;\\n' > ../${directory.slice(-66)}.origin
  `);
});
afterAll(async () => {
  await lab.dispose();
});

/** A script that may write to /sysroot, as ostree does it: in a mount namespace of its own. */
async function writable(script: string): Promise<void> {
  const lines = ['set -e', 'mount -o remount,bind,rw /sysroot', script];
  await lab.run(['unshare', '--mount', 'sh', '-c', lines.join('\n')]);
}

/** Traces of guests: directories, definitions, links, units, refs. The pool and the host's units stay. */
async function traces(): Promise<string> {
  const script = [
    `ls -A ${STATE}/guests /etc/guestree /etc/systemd/nspawn /var/lib/machines`,
    'ls -A /etc/systemd/system /run/systemd/system | grep nspawn@',
    `ostree refs --repo=${STATE}/pool`,
  ].join('; ');
  return (await lab.run(['sh', '-c', script], { check: false })).stdout.replaceAll(/^\/.*:\n|^\n/gm, '');
}

test('adopt killed at every step boundary: no guest or a whole one, and a second try succeeds', async () => {
  const before = [await lab.hostFingerprint(), await fingerprintOf(lab, 'tiny')];
  const kills = await killEverywhere(
    lab,
    () => ADOPT,
    async (point) => {
      await succeed(lab, ['recover']);
      await expectNothingLeft(lab, point);
      const known = await guestree(lab, ['status', 'box']);
      if (known.exitCode !== 0) {
        expect(await traces(), point).toBe('');
        await succeed(lab, ADOPT);
      }
      const root = `${STATE}/guests/box/current/root`;
      const facts = `cat ${root}/etc/changed ${root}/../../var/lib/data/file; ls ${root}/etc/removed; stat -c %u:%g ${root}/../../var/lib/data/file`;
      expect((await lab.run(['sh', '-c', facts], { check: false })).stdout, point).toBe(
        'mine\nprecious\n1234:2345\n',
      );
      const { guests } = JSON.parse(await succeed(lab, ['status', 'box', '--json'])) as { guests: object[] };
      expect(guests[0], point).toMatchObject({ from: 'ostree:tiny/base', requested: ['marker'] });
      await succeed(lab, ['remove', 'box', '--yes']);
      await expectNothingLeft(lab, point);
    },
  );
  expect(kills).toBeGreaterThan(8);
  // What a symlink of the guest leads to is never reached.
  expect((await lab.run(['ls', '-A', '/var/tmp/outside'])).stdout).toBe('');
  expect([await lab.hostFingerprint(), await fingerprintOf(lab, 'tiny')]).toEqual(before);
});

test('a /var that has no room is refused before any of it is copied, and nothing stays', async () => {
  const large = '/sysroot/ostree/deploy/tiny/var/large';
  await writable(`fallocate --length 300MiB ${large}`);
  await lab.run(['sh', '-c', 'mkdir /var/tmp/small && mount -t tmpfs -o size=150M tmpfs /var/tmp/small']);
  const state = '/var/tmp/small/state';
  const { exitCode, stderr } = await lab.run(['guestree', ...ADOPT], {
    check: false,
    env: { GUESTREE_STATE: state },
  });
  expect(stderr).toMatch(
    /^guestree: (?:box: )?\/var of "tiny" takes 30\d MiB, and there is space for 1\d\d MiB .*\n {2}Make space/m,
  );
  expect(exitCode).toBe(74);
  expect((await lab.run(['ls', '-A', `${state}/guests`, `${state}/scratch`])).stdout).not.toMatch(/box/);
  await lab.run(['umount', '/var/tmp/small'], { check: false });
});
