import { describe, expect, test } from 'vitest';
import { CommandFailure, createRunner } from '../../../src/system/run.ts';
import { failureOfLater } from '../../unit/failures.ts';
import { temporaryDirectory } from '../../unit/directory.ts';

const lines: string[] = [];
const runner = createRunner(
  { started: (line) => void lines.push(line) },
  { ...process.env, LC_ALL: 'de_DE.UTF-8' },
);

describe('a program', () => {
  test('gives its output and is logged as a line before it starts', async () => {
    const result = await runner.run('printf', ['%s\\n', 'a b']);
    expect(result).toEqual({ exitCode: 0, stdout: 'a b\n', stderr: '' });
    expect(lines.at(-1)).toBe("printf '%s\\n' 'a b'");
  });

  test('sees the rebuilt environment only, with what is added to it', async () => {
    const { stdout } = await runner.run('env', [], { env: { EXTRA: '1' } });
    const names = stdout.split('\n').map((line) => line.split('=', 1)[0]);
    expect(names).toContain('EXTRA');
    expect(names).not.toContain('LC_ALL');
    expect(stdout).toContain('LANG=C.UTF-8\n');
  });

  test('reads nothing unless something is given', async () => {
    expect((await runner.run('cat', [])).stdout).toBe('');
    expect((await runner.run('cat', [], { input: 'ü\n' })).stdout).toBe('ü\n');
  });

  test('runs where it is told to', async () => {
    const directory = await temporaryDirectory();
    expect((await runner.run('pwd', ['-P'], { cwd: directory })).stdout).toBe(`${directory}\n`);
  });

  test('never goes through a shell', async () => {
    expect((await runner.run('echo', ['$HOME', ';', '*', '`id`'])).stdout).toBe('$HOME ; * `id`\n');
  });

  test('has each line of its output told while it runs, of both streams', async () => {
    const told: string[] = [];
    const script = 'echo one; echo two >&2; printf three';
    await runner.run('sh', ['-c', script], { onLine: (line) => void told.push(line) });
    await expect.poll(() => [...told].sort()).toEqual(['one', 'three', 'two']);
  });
});

describe('a program that fails', () => {
  test('is a failure with its output, exit code and command line', async () => {
    const failure = await failureOfLater(runner.run('sh', ['-c', 'echo out; echo why >&2; exit 3']));
    expect(failure).toBeInstanceOf(CommandFailure);
    expect(failure).toMatchObject({
      reason: 'failed',
      program: 'sh',
      result: { exitCode: 3, stdout: 'out\n', stderr: 'why\n' },
    });
    expect(failure.message).toBe('sh failed with exit code 3: why');
    expect(failure.hint).toBe("It was: sh -c 'echo out; echo why >&2; exit 3'");
  });

  test('is none if the exit code is allowed', async () => {
    const script = ['-c', 'exit 3'];
    expect((await runner.run('sh', script, { allow: [0, 3] })).exitCode).toBe(3);
    expect((await runner.run('sh', script, { allow: 'any' })).exitCode).toBe(3);
    expect((await failureOfLater(runner.run('sh', script, { allow: [0, 4] }))).reason).toBe('failed');
  });

  test('while its lines are told is reported once, as the failure', async () => {
    const failure = await failureOfLater(
      runner.run('sh', ['-c', 'echo a; exit 1'], { onLine: () => undefined }),
    );
    expect(failure.message).toContain('exit code 1');
  });

  test('because it does not exist says what to install', async () => {
    const failure = await failureOfLater(runner.run('guestree-no-such-program', []));
    expect(failure).toMatchObject({ reason: 'missing-program', exitCode: 69 });
    expect(failure.message).toContain('"guestree-no-such-program"');
  });

  test('to end in time is ended', async () => {
    const failure = await failureOfLater(runner.run('sleep', ['60'], { timeoutSeconds: 0.2 }));
    expect(failure.message).toBe('sleep did not finish in time');
  });

  test('by a signal says which', async () => {
    const failure = await failureOfLater(runner.run('sh', ['-c', 'kill -KILL $$']));
    expect(failure.message).toBe('sh was ended by SIGKILL');
  });
});
