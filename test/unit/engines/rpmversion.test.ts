import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareRpmVersions, compareSegments } from '../../../src/engines/rpmversion.ts';
import { RPM_ORDER } from '../../rpm/order.ts';

describe('compareSegments', () => {
  test.each(RPM_ORDER)('%s against %s', (a, b, order) => {
    expect(Math.sign(compareSegments(a, b))).toBe(order);
    expect(Math.sign(compareSegments(b, a))).toBe(0 - order || 0);
  });

  test('is an order: antisymmetric, and equal to itself', () => {
    const version = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'b', '.', '~', '^') });
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(compareSegments(a, a)).toBe(0);
        expect(Math.sign(compareSegments(a, b)) + Math.sign(compareSegments(b, a))).toBe(0);
      }),
    );
  });
});

describe('compareRpmVersions', () => {
  test.each([
    ['1.0-1', '1.0-2', -1],
    ['1.0-10', '1.0-9', 1],
    ['1:1.0-1', '2.0-1', 1],
    ['0:1.0-1', '1.0-1', 0],
    ['1.0-1.fc41', '1.0-1.fc42', -1],
    ['1.0', '1.0-5', 0],
    ['2.0~rc1-1', '2.0-1', -1],
    ['2.0^20260101-1', '2.0-9', 1],
    ['1.0-3-1', '1.0-2-9', 1],
  ])('%s against %s', (a, b, order) => {
    expect(Math.sign(compareRpmVersions(a, b))).toBe(order);
  });
});
