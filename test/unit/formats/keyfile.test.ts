import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyFile } from '../../../src/formats/keyfile.ts';
import { failureOf } from '../failures.ts';
import { ORIGINS } from './origins.ts';

function parse(...lines: string[]): KeyFile {
  return KeyFile.parse(`${lines.join('\n')}\n`, 'FILE');
}

function refusalOf(...lines: string[]): string {
  const failure = failureOf(() => parse(...lines));
  expect(failure.reason).toBe('invalid');
  expect(failure.hint).toBeTruthy();
  return failure.message;
}

/** Everything that a file means. */
function meaningOf(file: KeyFile): Record<string, [string, string | undefined, string[]][]> {
  return Object.fromEntries(
    file
      .groups()
      .map((group) => [
        group,
        file.keys(group).map((key) => [key, file.get(group, key), file.getList(group, key)]),
      ]),
  );
}

describe('reading', () => {
  test('finds groups and keys in order; of a repeated key the last one counts, over all groups of that name', () => {
    const file = parse('[A]', 'x=1', 'y=2', '[B]', 'x=3', '[A]', 'z=4', 'x=5');
    expect(file.groups()).toEqual(['A', 'B']);
    expect(file.keys('A')).toEqual(['x', 'y', 'z']);
    expect(file.get('A', 'x')).toBe('5');
    expect(file.get('B', 'x')).toBe('3');
    expect(file.get('A', 'nothing')).toBeUndefined();
    expect(file.get('C', 'x')).toBeUndefined();
    expect(file.keys('C')).toEqual([]);
    expect(file.getList('C', 'x')).toEqual([]);
  });

  test('leaves out white space around "=" and keeps it at the end of the value', () => {
    const file = parse('[A] \t', '  x \t= \t b c  ', 'y=', 'z = #no comment', 'two words=1');
    expect(file.get('A', 'x')).toBe('b c  ');
    expect(file.get('A', 'y')).toBe('');
    expect(file.get('A', 'z')).toBe('#no comment');
    expect(file.get('A', 'two words')).toBe('1');
  });

  test('takes comments and blank lines anywhere, also before the first group', () => {
    const file = parse('', ' # a', '[A]', '\t', '#x=1', ' \t #', 'y=2');
    expect(file.keys('A')).toEqual(['y']);
  });

  test('takes lines that end in CR LF', () => {
    const text = '[A]\r\nx=1\r\n\r\n# c\r\ny=2\r\n';
    const file = KeyFile.parse(text, 'FILE');
    expect(meaningOf(file)).toEqual({
      A: [
        ['x', '1', ['1']],
        ['y', '2', ['2']],
      ],
    });
    expect(file.toString()).toBe(text);
  });

  test('undoes escapes', () => {
    const file = parse('[A]', 'x=\\sa\\tb\\nc\\rd\\\\n', 'bad=a\\;b', 'worse=a\\q', 'cut=a\\', 'name=\\x41');
    expect(file.get('A', 'x')).toBe(' a\tb\nc\rd\\n');
    for (const key of ['bad', 'worse', 'cut', 'name']) {
      const failure = failureOf(() => file.get('A', key));
      expect(failure.reason).toBe('invalid');
      expect(failure.message).toMatch(/^FILE, line [3-6]: .* is not an escape$/);
    }
    expect(file.getList('A', 'bad')).toEqual(['a;b']);
  });

  test('cuts lists as GLib does', () => {
    const file = parse(
      '[A]',
      'none=',
      'one=a',
      'two=a;b;',
      'three=a;;c',
      'blank=;',
      'escaped=a\\;b\\\\;\\sc',
    );
    expect(file.getList('A', 'none')).toEqual([]);
    expect(file.getList('A', 'one')).toEqual(['a']);
    expect(file.getList('A', 'two')).toEqual(['a', 'b']);
    expect(file.getList('A', 'three')).toEqual(['a', '', 'c']);
    expect(file.getList('A', 'blank')).toEqual(['']);
    expect(file.getList('A', 'escaped')).toEqual(['a;b\\', ' c']);
  });

  test('knows four words for yes and no', () => {
    const file = parse('[A]', 'a=true', 'b=1 ', 'c=false', 'd=0', 'e=yes', 'f=', 'g=True');
    expect(['a', 'b', 'c', 'd', 'none'].map((key) => file.getBoolean('A', key))).toEqual([
      ...[true, true, false, false],
      undefined,
    ]);
    for (const key of ['e', 'f', 'g']) {
      expect(failureOf(() => file.getBoolean('A', key)).message).toContain('neither true nor false');
    }
  });

  test('names the line of what it refuses', () => {
    expect(refusalOf('[A]', 'x=1', 'rubbish')).toBe(
      'FILE, line 3: "rubbish" is neither KEY=VALUE nor [GROUP]',
    );
    expect(refusalOf('# c', 'x=1', '[A]')).toBe('FILE, line 2: a key stands before the first [GROUP]');
    expect(refusalOf('[A]', '=1')).toContain('line 2');
    expect(refusalOf('[A]', 'x=a\0b')).toContain('line 2: the line contains a NUL byte');
    expect(refusalOf('[A]', '# \0')).toContain('NUL');
    expect(refusalOf('\ufeff[A]')).toContain('line 1');
    expect(refusalOf('[]')).toContain('not the name of a group');
    expect(refusalOf('[a[b]')).toContain('not the name of a group');
    expect(refusalOf('[a\tb]')).toContain('not the name of a group');
    expect(refusalOf('[A]', '[B] x')).toContain('line 2');
    expect(refusalOf('[A]', '[B] x=1')).toContain('is not a key');
    expect(refusalOf('[A]', 'x[de=1')).toContain('is not a key');
    expect(refusalOf('[A]', 'x[d e]=1')).toContain('is not a key');
    expect(failureOf(() => KeyFile.parse('\ud800', 'FILE')).reason).toBe('invalid');
    expect(failureOf(() => KeyFile.parse('#'.repeat(1024 * 1024 + 1), 'FILE')).message).toContain('1 MiB');
  });

  test('takes no time for long lines of anything', () => {
    const length = 500_000;
    for (const piece of [' ', '\t', '[', ']', '\\', '\r', 'a ', ';', '=', '#', '[a']) {
      const long = piece.repeat(length / piece.length);
      for (const text of [`[A]\nx=${long}`, `[A]\n${long}=x`, `[${long}]`, `[A]${long}`, `${long}x`]) {
        try {
          const file = KeyFile.parse(text, 'FILE');
          file.getList('A', 'x');
          file.getBoolean('A', 'x');
        } catch (error) {
          expect(error).toMatchObject({ name: 'Failure', reason: 'invalid' });
        }
      }
    }
  }, 10_000);
});

describe('writing', () => {
  test('gives back every text that was not changed', () => {
    for (const text of [
      ...ORIGINS,
      '',
      '\n',
      '#',
      '[A]',
      '[A]\n\n\n',
      '[A]\n x =  1\t\n[A]\nx=2\n#',
      '[A]\r\n',
    ]) {
      expect(KeyFile.parse(text, 'FILE').toString()).toBe(text);
    }
  });

  test('replaces the last of a repeated key and takes the others out', () => {
    const file = parse('[A]', '# one', 'x=1', 'y=2', '[B]', 'x=9', '[A]', 'x = 3', '# end');
    expect(file.set('A', 'x', 'new').toString()).toBe('[A]\n# one\ny=2\n[B]\nx=9\n[A]\nx=new\n# end\n');
  });

  test('adds a key behind the last one of its group, and a group at the end', () => {
    const file = parse('[A]', 'x=1', '', '# about B', '[B]', 'y=2');
    file.set('A', 'z', '3').set('C', 'k', 'v').setList('C', 'l', ['a', 'b']);
    expect(file.toString()).toBe('[A]\nx=1\nz=3\n\n# about B\n[B]\ny=2\n\n[C]\nk=v\nl=a;b;\n');
    expect(KeyFile.parse('', 'FILE').set('A', 'x', '').toString()).toBe('[A]\nx=\n');
  });

  test('does not run into a last line without newline', () => {
    expect(KeyFile.parse('[A]\nx=1\r', 'FILE').set('A', 'y', '2').get('A', 'x')).toBe('1');
    expect(KeyFile.parse('[A]\nx=1', 'FILE').set('A', 'y', '2').toString()).toBe('[A]\nx=1\ny=2');
  });

  test('takes keys and groups out, comments stay', () => {
    const file = parse('[A]', '# x', 'x=1', 'x=2', 'y=3', '', '# about B', '[B]', 'x=4');
    expect(file.remove('A', 'x').toString()).toBe('[A]\n# x\ny=3\n\n# about B\n[B]\nx=4\n');
    expect(file.removeGroup('A').toString()).toBe('# about B\n[B]\nx=4\n');
    expect(file.removeGroup('B').remove('B', 'x').removeGroup('none').toString()).toBe('# about B\n');
    expect(parse('[A]', 'x=1', '', '[B]', 'y=1', '[A]', 'z=1').removeGroup('A').toString()).toBe(
      '[B]\ny=1\n',
    );
  });

  test('gives a key another name in its place', () => {
    const file = parse('[A]', 'x=0', 'x=\\s1', 'z=2', 'y=3');
    expect(file.rename('A', 'x', 'y').toString()).toBe('[A]\ny=\\s1\nz=2\n');
    expect(file.rename('A', 'none', 'z').rename('A', 'z', 'z').toString()).toBe('[A]\ny=\\s1\nz=2\n');
  });

  test('refuses names and values that would be read as something else', () => {
    for (const key of ['', ' a', 'a ', 'a=b', '#a', '[a', 'a]', 'a\nb', 'a[b', '\ud800', 'a[b]c']) {
      expect(failureOf(() => parse('[A]').set('A', key, '1')).reason, key).toBe('invalid');
      expect(failureOf(() => parse('[A]', 'x=1').rename('A', 'x', key)).reason, key).toBe('invalid');
    }
    for (const group of ['', 'a]', '[', 'a\nb', '\u0085', '\ud800']) {
      expect(failureOf(() => parse('[A]').set(group, 'x', '1')).reason, group).toBe('invalid');
    }
    for (const value of ['\0', 'a\u001b', '\f', '\ud800']) {
      expect(failureOf(() => parse('[A]').set('A', 'x', value)).reason).toBe('invalid');
      expect(failureOf(() => parse('[A]').setList('A', 'x', [value])).reason).toBe('invalid');
    }
  });
});

describe('there and back', () => {
  const values = fc
    .array(
      fc.oneof(
        fc.constantFrom(' ', '\t', '\n', '\r', '\\', ';', '=', '#', '[A]', '\u2028', '🌳', '\\s', '\\;'),
        fc.string({ maxLength: 3 }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''));
  const keys = fc.constantFrom('x', 'y', 'z[de]', 'with space', '__proto__', 'ä');
  const groups = fc.constantFrom('A', 'B', ' odd =', 'constructor', '#');
  const lines = fc.constantFrom('', '# c', '[A]', '[B]', 'x=1', 'x = 2;', 'y=\\s', '  z[de]=a;b', '[ odd =]');
  const files = fc
    .tuple(fc.array(lines, { maxLength: 10 }), fc.boolean())
    .map(([all, newline]) => ['[A]', ...all].join('\n') + (newline ? '\n' : ''));

  test('a value or list is read as it was set, and nothing else changes', () => {
    fc.assert(
      fc.property(
        files,
        groups,
        keys,
        values,
        fc.array(values, { maxLength: 4 }),
        (text, group, key, value, list) => {
          const before = meaningOf(KeyFile.parse(text, 'FILE'));
          const changed = [
            KeyFile.parse(text, 'FILE').set(group, key, value).toString(),
            KeyFile.parse(text, 'FILE').setList(group, key, list).toString(),
            KeyFile.parse(text, 'FILE').remove(group, key).toString(),
          ].map((each) => KeyFile.parse(each, 'FILE'));
          expect(changed[0]?.get(group, key)).toBe(value);
          expect(changed[1]?.getList(group, key)).toEqual(list);
          expect(changed[2]?.get(group, key)).toBeUndefined();
          for (const file of changed) {
            const others = Object.entries(meaningOf(file.remove(group, key)));
            const expected = Object.entries(meaningOf(KeyFile.parse(text, 'FILE').remove(group, key)));
            expect(others.filter(([name]) => name !== group || Object.hasOwn(before, group))).toEqual(
              expected,
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a group that is added and removed leaves the text as it was', () => {
    fc.assert(
      fc.property(files, keys, values, (text, key, value) => {
        const file = KeyFile.parse(text, 'FILE').set('new', key, value);
        expect(file.removeGroup('new').toString()).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});
