import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareDebianVersions } from '../../../src/engines/debversion.ts';

const version = fc
  .tuple(
    fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    fc.stringMatching(/^[0-9][A-Za-z0-9.+~]{0,8}$/),
    fc.option(fc.stringMatching(/^[A-Za-z0-9.+~]{1,6}$/), { nil: undefined }),
  )
  .map(([epoch, upstream, revision]) => {
    const prefix = epoch === undefined ? '' : `${epoch}:`;
    return `${prefix}${upstream}${revision === undefined ? '' : `-${revision}`}`;
  });

describe('compareDebianVersions', () => {
  test.each([
    ['1.0', '1.0', 0],
    ['1.0', '1.0-0', 0],
    ['0:1.0', '1.0', 0],
    ['1.0~rc1', '1.0', -1],
    ['1.0~~', '1.0~', -1],
    ['1.0~~a', '1.0~', -1],
    ['1.9', '1.10', -1],
    ['1:0.1', '9.9', 1],
    ['1.0a', '1.0', 1],
    ['1.0+b1', '1.0a', 1],
    ['2.36-9+deb12u9', '2.36-9+deb12u10', -1],
    ['3.7.11-0+deb12u1', '3.7.11-0', 1],
    ['1.2.3-4-5', '1.2.3-4-6', -1],
    ['00001', '1', 0],
    ['20240203000000000000000001', '20240203000000000000000000', 1],
    ['7.1a', '7.1.1', -1],
  ])('%s against %s is %i', (a, b, expected) => {
    expect(compareDebianVersions(a, b)).toBe(expected);
    expect(compareDebianVersions(b, a)).toBe(expected === 0 ? 0 : -expected);
  });

  test('is a total order', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareDebianVersions(a, a)).toBe(0);
        expect(compareDebianVersions(a, b) + compareDebianVersions(b, a)).toBe(0);
        if (compareDebianVersions(a, b) <= 0 && compareDebianVersions(b, c) <= 0) {
          expect(compareDebianVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  test('a tilde sorts before the end of the version', () => {
    fc.assert(
      fc.property(version, (a) => {
        expect(compareDebianVersions(`${a}~x`, a)).toBe(-1);
        expect(compareDebianVersions(`${a}+x`, a)).toBe(1);
      }),
    );
  });
});
