import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSeconds, parseBoolean, parseSeconds } from '../../../src/model/duration.ts';
import { failureOf } from '../failures.ts';

describe('a time span', () => {
  test.each<[string, number]>([
    ['0', 0],
    ['90', 90],
    ['90s', 90],
    ['500ms', 0.5],
    ['1min 30s', 90],
    ['1min30s', 90],
    ['1.5 h', 5400],
    ['7d', 604_800],
  ])('%s', (text, seconds) => {
    expect(parseSeconds(text, 'SettleSec')).toBe(seconds);
  });

  test.each(['', ' ', 'soon', '-1', '5 weeks', '1min x', '8d', 'infinity', '1e3', '1s\n2s'])(
    'is not %j',
    (text) => {
      expect(failureOf(() => parseSeconds(text, 'SettleSec')).message).toContain('SettleSec=');
    },
  );

  test('is read as it was written', () => {
    const values = fc.oneof(
      fc.integer({ min: 0, max: 604_800 }),
      fc.integer({ min: 1, max: 9999 }).map((ms) => ms / 1000),
    );
    fc.assert(
      fc.property(values, (seconds) => {
        expect(parseSeconds(formatSeconds(seconds), 'x')).toBe(seconds);
      }),
    );
  });
});

test.each<[string, boolean]>([
  ['yes', true],
  ['On', true],
  ['1', true],
  ['no', false],
  ['FALSE', false],
  ['0', false],
])('%s is %s', (text, value) => {
  expect(parseBoolean(text, 'Preflight')).toBe(value);
  expect(failureOf(() => parseBoolean(`${text}x`, 'Preflight')).message).toContain('Preflight=');
});
