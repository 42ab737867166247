import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openingAfter, tellTime, wallTime } from '../../../src/app/wallclock.ts';
import { parseWindow } from '../../../src/model/window.ts';

/** Node reads TZ anew whenever it is set. */
let zone: string | undefined;
beforeAll(() => {
  zone = process.env['TZ'];
  process.env['TZ'] = 'Europe/Berlin';
});
afterAll(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

describe('the clock on the wall', () => {
  test('is the host’s, not the one of UTC', () => {
    expect(wallTime(new Date('2026-11-29T01:30:00Z'))).toEqual({ weekday: 6, minute: 150 });
    expect(wallTime(new Date('2026-11-29T23:30:00Z'))).toEqual({ weekday: 0, minute: 30 });
    expect(tellTime(new Date('2026-11-29T01:05:00Z'))).toBe('Sun 2026-11-29 02:05');
  });

  test('shows when a window opens, over the end of the month and over summer time', () => {
    const window = [parseWindow('Sun 02:30-05:00')];
    const next = (now: string): string => openingAfter(window, new Date(now))?.toISOString() ?? 'open';
    expect(next('2026-11-28T12:00:00Z')).toBe('2026-11-29T01:30:00.000Z');
    expect(next('2026-12-31T12:00:00Z')).toBe('2027-01-03T01:30:00.000Z');
    expect(next('2026-11-29T02:00:00Z')).toBe('open');
    // On 2026-03-29 the clock goes from 02:00 to 03:00.
    expect(next('2026-03-28T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
    expect(wallTime(new Date('2026-03-29T01:30:00Z')).minute).toBe(210);
  });

  test('does not tell of an opening where there is no window', () => {
    expect(openingAfter([], new Date())).toBeUndefined();
  });
});
