import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTimeSpan, parseTimeSpan } from '../../../src/model/timespan.ts';
import { failureOf } from '../failures.ts';

describe('a time span', () => {
  test.each([
    ['0', 0],
    ['5', 5],
    ['0.5', 0.5],
    ['500ms', 0.5],
    ['5 s', 5],
    ['5sec', 5],
    ['2min', 120],
    ['2m', 120],
    ['24h', 86_400],
  ])('of %s is %d seconds', (text, seconds) => {
    expect(parseTimeSpan(text)).toBe(seconds);
  });

  test.each(['', '-1', 's', '1 2', '5 days', '25h', '1e3', '5s ', '.5', '5.', 'infinity', '٣'])(
    'is not %j',
    (text) => {
      expect(failureOf(() => parseTimeSpan(text)).reason).toBe('invalid');
    },
  );

  test('of whole milliseconds survives being written and read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000 }), (milliseconds) => {
        expect(parseTimeSpan(formatTimeSpan(milliseconds / 1000))).toBeCloseTo(milliseconds / 1000, 9);
      }),
    );
  });
});
