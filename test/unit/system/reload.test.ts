import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Systemd } from '../../../src/system/systemd.ts';

/** A service manager that takes its time to reload, and fails the first time. */
function slow(fail: boolean): { systemd: Systemd; begun: () => number } {
  let begun = 0;
  const systemd = new Systemd({
    run: async () => {
      begun++;
      await sleep(20);
      if (fail && begun === 1) throw new Error('no');
      return { exitCode: 0, stdout: '', stderr: '' };
    },
  });
  return { systemd, begun: () => begun };
}

test('who asks while a reload is under way gets one that begins later, together with the others', async () => {
  const { systemd, begun } = slow(false);
  const first = systemd.reload();
  await sleep(5);
  const others = [1, 2, 3].map(async () => {
    await systemd.reload();
    return begun();
  });
  await first;
  expect(await Promise.all(others)).toEqual([2, 2, 2]);
});

test('a reload that fails is told to those who asked for it, and the next one is tried', async () => {
  const { systemd } = slow(true);
  await expect(systemd.reload()).rejects.toThrow('no');
  await systemd.reload();
});
