import { describe, expect, test } from 'vitest';
import { requirePrograms } from '../../../src/app/privilege.ts';
import { failureOf } from '../failures.ts';

describe('the programs that a command calls', () => {
  test('are looked for before it begins', () => {
    expect(() => requirePrograms(['sh', 'cat'])).not.toThrow();
  });

  test('are named with what to install if one is missing', () => {
    const failure = failureOf(() => requirePrograms(['sh', 'no-such-program']));
    expect(failure).toMatchObject({ reason: 'missing-program', exitCode: 69 });
    expect(failure.message).toContain('"no-such-program"');
    expect(failure.hint).toContain('apt-get install no-such-program');
  });
});
