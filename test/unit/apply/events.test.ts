import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appendEvent, readEvents } from '../../../src/apply/events.ts';
import type { SwitchEvent } from '../../../src/plan/state.ts';
import { temporaryDirectory } from '../directory.ts';

const first: SwitchEvent = {
  time: '2025-01-02T03:04:05.678Z',
  generation: 1,
  previous: undefined,
  reason: 'create',
  downtimeMs: undefined,
};
const second: SwitchEvent = { ...first, generation: 2, previous: 1, reason: 'upgrade “ü”', downtimeMs: 812 };

async function log(): Promise<string> {
  return join(await temporaryDirectory(), 'events');
}

describe('the event log', () => {
  test('gives back what was appended, in order', async () => {
    const path = await log();
    expect(await readEvents(path)).toEqual([]);
    await appendEvent(path, first);
    await appendEvent(path, second);
    expect(await readEvents(path)).toEqual([first, second]);
  });

  test('that was cut off at any byte loses at most the last event, and takes new ones', async () => {
    const whole = await log();
    await appendEvent(whole, first);
    await appendEvent(whole, second);
    const bytes = await readFile(whole);
    const end = bytes.indexOf('\n');
    for (let length = 0; length <= bytes.length; length += 7) {
      const path = await log();
      await appendFile(path, bytes.subarray(0, length));
      const left = await readEvents(path);
      expect(left, `${length} bytes`).toEqual([first, second].slice(0, left.length));
      expect(left.length).toBeGreaterThanOrEqual(length > end ? 1 : 0);
      await appendEvent(path, second);
      expect(await readEvents(path), `${length} bytes`).toEqual([...left, second]);
    }
  });

  test.each(['{}', 'null', '{"time":"x","generation":1,"reason":"y"}', '{"time":1}', '\0\0', '[', 'true'])(
    'passes over a line that is no event: %j',
    async (line) => {
      const path = await log();
      await appendEvent(path, first);
      await appendFile(path, `${line}\n`);
      await appendEvent(path, second);
      expect(await readEvents(path)).toEqual([first, second]);
    },
  );
});
