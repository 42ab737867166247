import { afterAll, beforeAll, expect, test } from 'vitest';
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
let base: readonly string[];
beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'making' });
  await lab.installGuestree();
  await serveMarker(lab, ['1.0']);
  base = await markerBase(lab);
});
afterAll(async () => {
  await lab.dispose();
});

test('create killed at every step boundary: no guest or a whole one, and a second try succeeds', async () => {
  const create = ['create', 'box', ...base, '--install', 'marker', '--start'];
  const kills = await killEverywhere(
    lab,
    () => create,
    async (point) => {
      await succeed(lab, ['recover']);
      await expectNothingLeft(lab, point);
      const known = await guestree(lab, ['status', 'box']);
      if (known.exitCode !== 0) await succeed(lab, create);
      await succeed(lab, ['start', 'box']);
      expect(await succeed(lab, ['exec', 'box', '--', 'cat', '/usr/share/marker/version']), point).toBe(
        '1.0\n',
      );
      await succeed(lab, ['remove', 'box', '--yes']);
      await expectNothingLeft(lab, point);
    },
  );
  expect(kills).toBeGreaterThan(8);
});
