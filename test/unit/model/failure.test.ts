import { describe, expect, test } from 'vitest';
import {
  EXIT_BUG,
  EXIT_UNCHANGED,
  exitCodeOf,
  Failure,
  type FailureReason,
} from '../../../src/model/failure.ts';

/** Total: a new reason does not compile without a line here. */
const REASONS: Readonly<Record<FailureReason, true>> = {
  failed: true,
  usage: true,
  invalid: true,
  'not-found': true,
  conflict: true,
  locked: true,
  'missing-program': true,
  'not-root': true,
  unsupported: true,
  storage: true,
  network: true,
  packages: true,
  guard: true,
  'start-failed': true,
  unhealthy: true,
  interrupted: true,
};
const reasons = Object.keys(REASONS) as FailureReason[];

describe('exit codes', () => {
  test('of an interrupted command is the one that shells give for SIGINT', () => {
    expect(exitCodeOf('interrupted')).toBe(130);
  });

  test('tell every reason, "nothing changed", a bug and success apart', () => {
    const codes = [0, EXIT_UNCHANGED, EXIT_BUG, ...reasons.map(exitCodeOf)];
    expect(new Set(codes).size).toBe(codes.length);
  });

  test.each(reasons.filter((each) => each !== 'interrupted'))(
    'of %s can be told from what shells and signals use',
    (reason) => {
      expect(exitCodeOf(reason)).toBeGreaterThan(0);
      expect(exitCodeOf(reason)).toBeLessThan(125);
      expect(new Failure(reason, 'x').exitCode).toBe(exitCodeOf(reason));
    },
  );

  test.each<[FailureReason, number]>([
    ['usage', 2],
    ['invalid', 3],
    ['not-found', 4],
    ['conflict', 5],
    ['locked', 6],
    ['storage', 74],
    ['not-root', 76],
  ])('of %s stays %d: scripts know it', (reason, code) => {
    expect(exitCodeOf(reason)).toBe(code);
    expect(EXIT_UNCHANGED).toBe(77);
  });
});

describe('a failure', () => {
  const cause = new Error('why');
  const failure = new Failure('storage', 'no space', { hint: 'make space', cause });

  test('gets the name of its guest and keeps everything else', () => {
    const named = failure.of('mail');
    expect(named).toMatchObject({
      reason: 'storage',
      message: 'no space',
      hint: 'make space',
      cause,
      guest: 'mail',
    });
  });

  test('that has a guest keeps it', () => {
    expect(failure.of('mail').of('web').guest).toBe('mail');
  });

  test('without a hint stays without one', () => {
    expect(new Failure('failed', 'x').of('mail').hint).toBeUndefined();
  });
});
