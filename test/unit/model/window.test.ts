import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatWindow,
  isOpen,
  nextOpening,
  parseWindow,
  type WallTime,
  type Weekday,
} from '../../../src/model/window.ts';
import { failureOf } from '../failures.ts';
import { windows } from './arbitraries.ts';

const WEEK = 7 * 1440;

const at = (day: number, hour: number, minute = 0): WallTime => ({
  weekday: day as Weekday,
  minute: hour * 60 + minute,
});

const moments: fc.Arbitrary<WallTime> = fc.record({
  weekday: fc.constantFrom<Weekday[]>(0, 1, 2, 3, 4, 5, 6),
  minute: fc.integer({ min: 0, max: 1439 }),
});

/** Minute of the week → the moment. */
const momentOf = (minute: number): WallTime => ({
  weekday: (Math.floor(minute / 1440) % 7) as Weekday,
  minute: minute % 1440,
});

describe('a window', () => {
  test.each([
    ['Sun,Wed 02:00-05:00', { days: [2, 6], start: 120, end: 300 }, 'Wed,Sun 02:00-05:00'],
    ['Mon..Fri 22:00-02:00', { days: [0, 1, 2, 3, 4], start: 1320, end: 120 }, 'Mon..Fri 22:00-02:00'],
    ['02:00-05:00', { days: [0, 1, 2, 3, 4, 5, 6], start: 120, end: 300 }, '02:00-05:00'],
    ['fri..mon 2:00-5:00', { days: [0, 4, 5, 6], start: 120, end: 300 }, 'Mon,Fri..Sun 02:00-05:00'],
    ['Saturday,SUN 00:00-24:00', { days: [5, 6], start: 0, end: 1440 }, 'Sat,Sun 00:00-24:00'],
    ['Mon..Sun 23:30-00:00', { days: [0, 1, 2, 3, 4, 5, 6], start: 1410, end: 1440 }, '23:30-24:00'],
  ])('%j', (text, window, formatted) => {
    expect(parseWindow(text)).toEqual(window);
    expect(formatWindow(parseWindow(text))).toBe(formatted);
  });

  test.each([
    ...['', 'night', '2-5', '02:00', '25:00-26:00', '24:00-05:00', '02:60-03:00', 'Mo 02:00-05:00'],
    ...[
      'Mon.. 02:00-05:00',
      'Mon..Tue..Wed 02:00-05:00',
      ',Mon 02:00-05:00',
      'Mon Tue 02:00-05:00',
      '02:00-02:00',
    ],
    '02:00-05:00 Mon',
  ])('is not %j', (text) => {
    expect(failureOf(() => parseWindow(text)).reason).toBe('invalid');
  });

  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(windows, (window) => {
        expect(parseWindow(formatWindow(window))).toEqual(window);
      }),
    );
  });
});

describe('a guest may be switched', () => {
  test('at all times without a window', () => {
    expect(isOpen([], at(3, 12))).toBe(true);
    expect(nextOpening([], at(3, 12))).toBeUndefined();
  });

  test('from the first minute of a window to the last before its end', () => {
    const night = [parseWindow('Wed 02:00-05:00')];
    const open = [at(2, 1, 59), at(2, 2), at(2, 4, 59), at(2, 5), at(3, 3)].map((time) =>
      isOpen(night, time),
    );
    expect(open).toEqual([false, true, true, false, false]);
  });

  test('after midnight of the day on which the window began, and of no other', () => {
    const late = [parseWindow('Fri 22:00-02:00')];
    const open = [at(4, 1), at(4, 22), at(5, 1, 59), at(5, 2), at(5, 23)].map((time) => isOpen(late, time));
    expect(open).toEqual([false, true, true, false, false]);
  });

  test('on Monday morning, in a window that began on Sunday', () => {
    expect(isOpen([parseWindow('Sun 23:00-01:00')], at(0, 0, 30))).toBe(true);
  });

  test('in exactly the minutes that a window covers, counted one by one', () => {
    fc.assert(
      fc.property(windows, moments, (window, now) => {
        const length =
          window.end > window.start ? window.end - window.start : window.end + 1440 - window.start;
        const minute = now.weekday * 1440 + now.minute;
        const covered = window.days.some(
          (day) => (minute - (day * 1440 + window.start) + WEEK) % WEEK < length,
        );
        expect(isOpen([window], now)).toBe(covered);
      }),
    );
  });
});

test('the next opening is the first minute from now that is open', () => {
  fc.assert(
    fc.property(fc.array(windows, { minLength: 1, maxLength: 3 }), moments, (some, now) => {
      const next = nextOpening(some, now);
      if (isOpen(some, now)) {
        expect(next).toBeUndefined();
        return;
      }
      const from = now.weekday * 1440 + now.minute;
      let away = 1;
      while (!isOpen(some, momentOf(from + away))) away++;
      const found = (next?.days ?? 0) * 1440 + (next?.minute ?? 0) - now.minute;
      expect(found).toBe(away);
    }),
    { numRuns: 50 },
  );
});

test('a window that opens today at a later time opens in no days, one that has closed in seven', () => {
  const [window] = [parseWindow('Thu 12:00-13:00')];
  expect(nextOpening([window], at(3, 11))).toEqual({ days: 0, minute: 720 });
  expect(nextOpening([window], at(3, 13))).toEqual({ days: 7, minute: 720 });
});
