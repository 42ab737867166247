import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectUp, liveThrough } from './flow.ts';
import { startLab, type Lab } from './lab.ts';

/** The main job on an ostree-booted host that has an update of its own staged, for both Debian releases. */
describe.each(['trixie', 'bookworm'])('on an ostree-booted %s host with a staged update', (suite) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ suite, bases: [suite], name: `main-${suite}` });
    await lab.installGuestree();
  });
  afterAll(async () => {
    await lab.dispose();
  });

  test('a guest lives its life and the host keeps its staged update, boot entries and refs', async () => {
    await lab.stageHostUpdate();
    const before = await lab.hostFingerprint();
    await liveThrough(lab);
    expect(await lab.hostFingerprint()).toEqual(before);
  });

  test('the host reboots into its own update, and the enabled guest comes up by itself', async () => {
    await lab.reboot();
    expect(await lab.hostVersion()).toBe(2);
    const menu = await lab.bootMenu();
    expect(menu).toHaveLength(2);
    await expectUp(lab, 3);
  });

  test('the host is rolled back, and the guest still is on its newest generation', async () => {
    await lab.rollbackHost();
    expect(await lab.hostVersion()).toBe(1);
    await expectUp(lab, 3);
    expect((await lab.run(['guestree', 'recover'])).exitCode).toBe(0);
  });
});
