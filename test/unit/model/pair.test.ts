import fc from 'fast-check';
import { isIPv4 } from 'node:net';
import { describe, expect, test } from 'vitest';
import { firstChoice, guestAddress, hostAddress, hostInterface, PAIRS } from '../../../src/model/pair.ts';

describe('the link of held ports', () => {
  test('of the first and the last guest is in 169.254.64.0/18', () => {
    const last = { number: PAIRS - 1 };
    expect(hostAddress({ number: 0 })).toBe('169.254.64.1');
    expect(guestAddress({ number: 0 }, 'own')).toBe('169.254.64.2');
    expect(guestAddress(last, 'own')).toBe('169.254.127.254');
    expect(guestAddress(last, 'next')).toBe('169.254.127.255');
  });

  test('has addresses and interfaces that no other guest has', () => {
    const numbers = Array.from({ length: PAIRS }, (_, number) => ({ number }));
    const addresses = numbers.flatMap((pair) => [
      hostAddress(pair),
      guestAddress(pair, 'own'),
      guestAddress(pair, 'next'),
    ]);
    expect(addresses.every((address) => isIPv4(address))).toBe(true);
    expect(new Set(addresses).size).toBe(3 * PAIRS);
    const interfaces = numbers.flatMap((pair) => [hostInterface(pair, 'own'), hostInterface(pair, 'next')]);
    expect(new Set(interfaces).size).toBe(2 * PAIRS);
    expect(Math.max(...interfaces.map((name) => name.length))).toBeLessThanOrEqual(15);
  });

  test('is sought from a place that the name decides, within the range and spread over it', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const number = firstChoice(name);
        return Number.isInteger(number) && number >= 0 && number < PAIRS && number === firstChoice(name);
      }),
    );
    const chosen = new Set(Array.from({ length: 200 }, (_, index) => firstChoice(`guest-${index}`)));
    expect(chosen.size).toBeGreaterThan(150);
  });
});
