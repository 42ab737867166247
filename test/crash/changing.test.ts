import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import {
  expectNothingLeft,
  guestree,
  killEverywhere,
  markerBase,
  serveMarker,
  succeed,
} from './boundaries.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'changing' });
  await lab.installGuestree();
  await serveMarker(lab, ['1.0']);
  await succeed(lab, ['create', 'box', ...(await markerBase(lab)), '--start']);
});
afterAll(async () => {
  await lab.dispose();
});

const version = async (): Promise<string> =>
  (
    await succeed(lab, ['exec', 'box', '--', 'sh', '-c', 'cat /usr/share/marker/version || echo none'])
  ).trim();

async function current(): Promise<number> {
  const { guests } = JSON.parse(await succeed(lab, ['status', 'box', '--json'])) as {
    guests: { generation: number }[];
  };
  return guests[0]?.generation ?? 0;
}

/** After a kill: the next command repairs, the guest runs the old or the new tree, and a second try gets there. */
async function repaired(point: string, old: string, fresh: string, again: readonly string[]): Promise<void> {
  await succeed(lab, ['start', 'box']);
  await expectNothingLeft(lab, point);
  expect([old, fresh], point).toContain(await version());
  await succeed(lab, again, [0, 77]);
  expect(await version(), point).toBe(fresh);
}

let before: number;
beforeEach(async () => {
  before = await current();
});

test('install killed at every step boundary: old or new generation, and a second try succeeds', async () => {
  const install = ['install', 'box', 'marker'];
  await killEverywhere(
    lab,
    () => install,
    async (point) => {
      await repaired(point, 'none', '1.0', install);
      await succeed(lab, ['rollback', 'box', String(before)]);
    },
  );
  await succeed(lab, install);
});

test('upgrade killed at every step boundary: old or new generation, and a second try succeeds', async () => {
  await serveMarker(lab, ['2.0']);
  await killEverywhere(
    lab,
    () => ['upgrade', 'box'],
    async (point) => {
      await repaired(point, '1.0', '2.0', ['upgrade', 'box']);
      await succeed(lab, ['rollback', 'box', String(before)]);
    },
  );
  await succeed(lab, ['upgrade', 'box']);
  await succeed(lab, ['cleanup']);
});

test('rollback killed at every step boundary: old or new generation, and a second try succeeds', async () => {
  const { guests } = JSON.parse(await succeed(lab, ['status', 'box', '--json'])) as {
    guests: { previous: number }[];
  };
  const target = guests[0]?.previous ?? 0;
  await killEverywhere(
    lab,
    () => ['rollback', 'box', String(target)],
    async (point) => {
      await repaired(point, '2.0', '1.0', ['rollback', 'box', String(target)]);
      await succeed(lab, ['rollback', 'box', String(before)]);
    },
  );
});

test('a power cut in the middle of a switch is mended at boot, before any command', async () => {
  await lab.run(['systemctl', 'enable', 'systemd-nspawn@box.service']);
  const target = ['rollback', 'box'];
  const swapped = (await succeed(lab, [...target, '--dry-run']))
    .split('\n')
    .findIndex((line) => line.includes('current'));
  for (const [point, version] of [
    [`before:${swapped}`, '2.0'],
    [`after:${swapped}`, '1.0'],
  ] as const) {
    await guestree(lab, target, point);
    await lab.powerCut();
    await lab.boot();
    await lab.run(['systemctl', 'start', 'systemd-nspawn@box.service'], { timeout: 120_000 });
    await expectNothingLeft(lab, point);
    expect(await succeed(lab, ['exec', 'box', '--', 'cat', '/usr/share/marker/version']), point).toBe(
      `${version}\n`,
    );
  }
});

test('afterwards every repository is sound', async () => {
  for (const repo of [
    '/sysroot/ostree/guestree/pool',
    '/sysroot/ostree/guestree/guests/box/sysroot/ostree/repo',
    '/ostree/repo',
  ]) {
    await lab.run(['ostree', 'fsck', '--quiet', `--repo=${repo}`], { timeout: 300_000 });
  }
});
