import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cleanEnvironment, CommandFailure, pasteable } from '../../../src/system/run.ts';
import { splitWords } from './words.ts';

describe('the environment of programs', () => {
  test('has nothing of the user that changes what is printed or where it is looked up', () => {
    const environment = cleanEnvironment({
      PATH: '/home/me/bin',
      LANG: 'de_DE.UTF-8',
      LC_ALL: 'de_DE.UTF-8',
      LANGUAGE: 'de',
      HOME: '/home/me',
      OSTREE_REPO: '/evil',
      OSTREE_SYSROOT: '/evil',
      LD_PRELOAD: '/evil.so',
      SYSTEMD_PAGER: 'less',
      GUESTREE_STATE: '/x',
    });
    expect(environment).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: '/root',
    });
  });

  test('keeps the terminal, proxies and certificates', () => {
    const kept = {
      TERM: 'xterm',
      http_proxy: 'http://p:1',
      https_proxy: 'http://p:2',
      no_proxy: 'a,b',
      SSL_CERT_FILE: '/c',
      SSL_CERT_DIR: '/d',
      CURL_CA_BUNDLE: '/e',
    };
    expect(cleanEnvironment(kept)).toMatchObject(kept);
  });
});

describe('a command as a line', () => {
  test.each<[string[], string]>([
    [['ostree', 'refs', '--repo=/srv/repo'], 'ostree refs --repo=/srv/repo'],
    [['echo', 'a b', ''], "echo 'a b' ''"],
    [['echo', "it's"], "echo 'it'\\''s'"],
    [['echo', '$HOME', '*', '~', '`id`', 'a\nb'], "echo '$HOME' '*' '~' '`id`' 'a\nb'"],
    [['echo', '#x', 'a;b', 'a&b', '(', '!'], "echo '#x' 'a;b' 'a&b' '(' '!'"],
  ])('%j can be pasted', ([program = '', ...args], line) => {
    expect(pasteable(program, args)).toBe(line);
  });

  test('gives a shell exactly the same words back, whatever they are', () => {
    const words = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', ' ', '\n', '*', '#', '~', '=', 'a') }),
    );
    fc.assert(
      fc.property(fc.array(words, { minLength: 1 }), (argv) => {
        const [program = '', ...args] = argv;
        expect(splitWords(pasteable(program, args))).toEqual(argv);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a command that failed', () => {
  const result = (stderr: string, stdout = ''): { exitCode: number; stdout: string; stderr: string } => ({
    exitCode: 3,
    stdout,
    stderr,
  });

  test('says which program, why, and what was called', () => {
    const failure = new CommandFailure('ostree', 'ostree refs', result('error: no\n'));
    expect(failure).toMatchObject({
      reason: 'failed',
      message: 'ostree failed with exit code 3: error: no',
      hint: 'It was: ostree refs',
      program: 'ostree',
    });
  });

  test('shows only the last lines of much output, and standard output if there is no other', () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`).join('\n');
    const { message } = new CommandFailure('x', 'x', result(lines));
    expect(message).toContain('line 99');
    expect(message).not.toContain('line 80');
    expect(new CommandFailure('x', 'x', result('', 'said on stdout')).message).toContain('said on stdout');
    expect(new CommandFailure('x', 'x', result('')).message).toBe('x failed with exit code 3');
  });

  test.each(['tar: write: No space left on device', 'cp: Disk quota exceeded'])(
    'for want of space says so: %s',
    (stderr) => {
      const failure = new CommandFailure('tar', 'tar x', result(stderr));
      expect(failure.reason).toBe('storage');
      expect(failure.hint).toContain('guestree cleanup');
    },
  );
});
