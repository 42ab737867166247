import { describe, expect, test } from 'vitest';
import { commandOf } from '../../../src/cli/exec.ts';
import { failureOf } from '../../unit/failures.ts';

describe('the command of exec', () => {
  test.each([
    [
      ['postqueue', '-p'],
      ['postqueue', '-p'],
    ],
    [
      ['--', 'postqueue', '-p'],
      ['postqueue', '-p'],
    ],
    [
      ['sh', '-c', 'x', '--', 'y'],
      ['sh', '-c', 'x', '--', 'y'],
    ],
    [['--', '--'], ['--']],
  ])('%j is %j: one "--" before it is not a part of it', (words, command) => {
    expect(commandOf(words)).toEqual(command);
  });

  test('must be there', () => {
    expect(failureOf(() => commandOf(['--'])).reason).toBe('usage');
  });
});
