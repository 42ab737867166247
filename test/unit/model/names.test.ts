import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  barePackageName,
  isCommit,
  parseCleanPath,
  parseCommit,
  parseGenerationNumber,
  parseGuestName,
  parsePackageName,
  parseRefName,
  quoted,
} from '../../../src/model/names.ts';
import { failureOf, unlessRefused } from '../failures.ts';

/** What nothing that names a thing may be. */
const HOSTILE = [
  '',
  ' ',
  '.',
  '..',
  '../x',
  'a/../b',
  'a//b',
  '-x',
  '--help',
  '-',
  'a b',
  'a\nb',
  'a\n',
  '\na',
  'a\r',
  'a\tb',
  'a\0b',
  '\0',
  'a\u001b[31m',
  'a;rm -rf /',
  'a$(id)',
  'a`id`',
  'a|b',
  'a&b',
  'a\\b',
  'a"b',
  "a'b",
  'a*',
  'a?',
  'a%n',
  'ä',
  'аdmin',
  'a\u202eb',
  'a\u2028b',
  'a\u00a0b',
  '😀',
  'a'.repeat(10_000),
];

const COMMIT = 'a1'.repeat(32);

const parsers = {
  parseGuestName: { parse: parseGuestName, reason: 'invalid' },
  parsePackageName: { parse: parsePackageName, reason: 'invalid' },
  parseRefName: { parse: parseRefName, reason: 'invalid' },
  parseCleanPath: { parse: parseCleanPath, reason: 'invalid' },
  parseCommit: { parse: parseCommit, reason: 'failed' },
} as const;

describe.each(Object.entries(parsers))('%s', (_, { parse, reason }) => {
  test.each(HOSTILE.map((value) => [quoted(value), value]))('refuses %s', (_shown, value) => {
    expect(failureOf(() => parse(value)).reason).toBe(reason);
  });

  test('gives back any string unchanged or refuses it, and never prints control characters of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const parsed = unlessRefused<string>(() => parse(value));
        if (parsed !== undefined) return parsed === value;
        const { message } = failureOf(() => parse(value));
        return message.length < 1200 && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(message);
      }),
    );
  });
});

describe('a guest name', () => {
  test.each(['m', 'mail', 'web-2', 'a-b-c', 'x9', 'a'.repeat(54)])('may be %s', (name) => {
    expect(parseGuestName(name)).toBe(name);
  });

  test.each(['mail-preflight', 'mail-next', 'web-2-next'])(
    'may not be %s, which is a machine of guestree',
    (name) => {
      expect(failureOf(() => parseGuestName(name)).hint).toContain('-preflight');
    },
  );

  test.each(['Mail', '9a', 'a-', 'a--b', 'a.b', 'a_b', '.host', 'a'.repeat(55), `a${'-a'.repeat(28)}`])(
    'is not %s',
    (name) => {
      const failure = failureOf(() => parseGuestName(name));
      expect(failure.message).toContain('is not a guest name');
      expect(failure.hint).toContain('for example');
    },
  );

  test('leaves room for what is derived from it: machine names have at most 64 characters', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z](?:-?[a-z0-9]){0,63}$/), (name) => {
        const parsed = unlessRefused(() => parseGuestName(name));
        return parsed === undefined ? name.length > 54 : `${parsed}-preflight`.length <= 64;
      }),
    );
  });
});

describe('a package name', () => {
  test.each([
    'postfix',
    'g++',
    'libstdc++6',
    'libc6:amd64',
    'python3.11',
    'NetworkManager',
    'perl-Git',
    'java_cup',
    'postfix=3.7.11-0+deb12u1',
    'libc6:i386=2:2.36-9~deb12u4',
    '0ad',
  ])('may be %s', (name) => {
    expect(parsePackageName(name)).toBe(name);
  });

  test.each([
    'a',
    'postfix-',
    'postfix.',
    'postfix=',
    'postfix=1 2',
    'postfix/trixie',
    '^mail-server',
    '~nfoo',
  ])('is not %s', (name) => {
    expect(failureOf(() => parsePackageName(name)).reason).toBe('invalid');
  });

  test.each(['postfix-', 'postfix:amd64-', 'postfix=1.0-'])(
    'is not %s, with which apt-get would remove the package',
    (name) => {
      expect(failureOf(() => parsePackageName(name)).reason).toBe('invalid');
    },
  );

  test.each([
    ['postfix', 'postfix'],
    ['postfix=3.7', 'postfix'],
    ['libc6:i386', 'libc6'],
    ['libc6:i386=2:2.36', 'libc6'],
  ])('%s is about the package %s', (name, bare) => {
    expect(barePackageName(parsePackageName(name))).toBe(bare);
  });
});

describe('a ref', () => {
  test.each(['x', 'debian/trixie/x86_64', 'guest/mail/7/tree', 'fedora/40/x86_64/silverblue', '_a/b.c-d'])(
    'may be %s',
    (ref) => {
      expect(parseRefName(ref)).toBe(ref);
    },
  );

  test.each(['/a', 'a/', 'a/-b', 'a/.b', 'a..b', 'origin:a', 'a^', 'a~1', 'a'.repeat(201)])(
    'is not %s',
    (ref) => {
      expect(failureOf(() => parseRefName(ref)).reason).toBe('invalid');
    },
  );
});

describe('a commit', () => {
  test('is 64 lower-case hex digits, without the white space that programs print after it', () => {
    expect(parseCommit(`${COMMIT}\n`)).toBe(COMMIT);
    expect(isCommit(COMMIT)).toBe(true);
  });

  test.each([COMMIT.toUpperCase(), COMMIT.slice(1), `${COMMIT}0`, `${COMMIT}\n${COMMIT}`, 'x'.repeat(64)])(
    'is not %j',
    (text) => {
      expect(isCommit(text)).toBe(false);
      expect(failureOf(() => parseCommit(text)).reason).toBe('failed');
    },
  );
});

describe('a path', () => {
  test.each(['/', '/srv', '/srv/my images/base.tar.zst', '/srv/ä/…', '/a-b_c+d,e=f@g', '/srv/$x', '/...'])(
    'may be %s',
    (path) => {
      expect(parseCleanPath(path)).toBe(path);
    },
  );

  test.each([
    'srv',
    '/srv/',
    '//srv',
    '/srv//a',
    '/srv/.',
    '/srv/..',
    '/srv/../etc',
    '/a:b',
    '/a%b',
    '/a"b',
    "/a'b",
    '/a\\b',
    '/a\nb',
    '/a ',
    '/a\t',
    '/a\u0085b',
    '/a\u2028b',
    `/${'a'.repeat(4000)}`,
  ])('is not %j', (path) => {
    expect(failureOf(() => parseCleanPath(path)).reason).toBe('invalid');
  });
});

describe('a generation number', () => {
  test.each([
    ['1', 1],
    ['42', 42],
    ['999999999', 999_999_999],
  ])('may be %s', (text, number) => {
    expect(parseGenerationNumber(text)).toBe(number);
  });

  test.each(['0', '-1', '01', '1.5', '1e3', ' 1', '1\n', '0x1', '9999999999', 'NaN', ''])(
    'is not %j',
    (text) => {
      expect(failureOf(() => parseGenerationNumber(text)).reason).toBe('invalid');
    },
  );
});

describe('quoted()', () => {
  test('shows control characters as escapes and cuts long strings', () => {
    expect(quoted('a\n\u001b[0m')).toBe('"a\\n\\u001b[0m"');
    expect(quoted('x'.repeat(200)).length).toBeLessThan(90);
  });

  test('shows what a terminal obeys or hides: DEL, C1 controls, reversed text, line separators', () => {
    expect(quoted('a\u007f\u009b31m\u202eb\u2028\ufeff')).toBe(
      '"a\\u{7f}\\u{9b}31m\\u{202e}b\\u{2028}\\u{feff}"',
    );
    expect(quoted('ünï 😀')).toBe('"ünï 😀"');
  });
});
