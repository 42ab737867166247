import { afterEach, expect, test } from 'vitest';
import { expectUp, liveThrough } from './flow.ts';
import { startLab, type Lab } from './lab.ts';

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.dispose();
  lab = undefined;
});

test('on an ostree host with a read-only /sysroot a guest lives its life', async () => {
  lab = await startLab({ sysrootReadOnly: true, bases: ['trixie'], name: 'readonly' });
  await lab.installGuestree();
  await lab.stageHostUpdate();
  const before = await lab.hostFingerprint();
  await liveThrough(lab);
  expect(await lab.hostFingerprint()).toEqual(before);
  expect((await lab.run(['touch', '/sysroot/x'], { check: false })).exitCode).not.toBe(0);
  await lab.reboot();
  expect(await lab.hostVersion()).toBe(2);
  await expectUp(lab, 3);
});

test('on a host without ostree and with /var on a file system of its own a guest lives its life', async () => {
  lab = await startLab({ ostree: false, separateVar: true, bases: ['trixie'], name: 'plain' });
  await lab.installGuestree();
  await liveThrough(lab);
  await lab.reboot();
  await expectUp(lab, 3);
});
