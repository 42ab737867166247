import { describe, expect, test } from 'vitest';
import { escapeSpecifiers, UnitFile } from '../../../src/unitfile/unitfile.ts';
import { failureOf } from '../failures.ts';

function parse(...lines: string[]): UnitFile {
  return UnitFile.parse(`${lines.join('\n')}\n`);
}

describe('looking up', () => {
  test('gives the last value of a key, over all sections of that name', () => {
    const file = parse('[A]', 'x=1', '[B]', 'x=2', '[A]', 'x=3');
    expect(file.lookup('A', 'x')).toBe('3');
    expect(file.lookup('B', 'x')).toBe('2');
    expect(file.lookup('A', 'y')).toBeUndefined();
    expect(file.lookup('C', 'x')).toBeUndefined();
    expect(file.sections()).toEqual(['A', 'B']);
    expect(file.keys('A')).toEqual(['x']);
  });

  test('of all values forgets those before an empty assignment', () => {
    const file = parse('[A]', 'x=1', 'x=2', 'x=', 'x=3 4', 'x=5');
    expect(file.lookupAll('A', 'x')).toEqual(['3 4', '5']);
    expect(file.lookupAllWords('A', 'x')).toEqual(['3', '4', '5']);
    expect(parse('[A]', 'x=1', 'x=').lookupAll('A', 'x')).toEqual([]);
    expect(parse('[A]', 'x=1', 'x=').lookup('A', 'x')).toBe('');
  });

  test('is about exact names: keys and sections are not folded', () => {
    const file = parse('[A]', 'Key=1');
    expect(file.lookup('A', 'key')).toBeUndefined();
    expect(file.lookup('a', 'Key')).toBeUndefined();
    expect(file.lookup('A', 'Ke')).toBeUndefined();
  });

  test('keeps "=", quotes, semicolons and "#" of a value, and leaves out white space around it', () => {
    const file = parse('[A]', '  x =  a=b ; c # "d" \t', 'y=true');
    expect(file.lookup('A', 'x')).toBe('a=b ; c # "d"');
    expect(file.lookup('A', 'y')).toBe('true');
  });

  test('takes only spaces and tabs for white space, as systemd does', () => {
    expect(parse('[A]', 'x=\u00a0a\u2003').lookup('A', 'x')).toBe('\u00a0a\u2003');
  });
});

describe('a continued line', () => {
  test('is joined with a space', () => {
    expect(parse('[A]', 'x=a\\', 'b \\', '  c', 'y=1').lookup('A', 'x')).toBe('a b    c');
  });

  test('goes on after comments, which are left out even if they end with a backslash', () => {
    const file = parse('[A]', 'x=a \\', '# y=2 \\', '  ; z=3', 'b', 'y=1');
    expect(file.lookup('A', 'x')).toBe('a  b');
    expect(file.keys('A')).toEqual(['x', 'y']);
  });

  test('ends at an empty line and at the end of the file', () => {
    expect(parse('[A]', 'x=a \\', '', 'y=1').keys('A')).toEqual(['x', 'y']);
    expect(UnitFile.parse('[A]\nx=a \\').lookup('A', 'x')).toBe('a');
    expect(UnitFile.parse('[A]\nx=a \\\n').lookup('A', 'x')).toBe('a');
    expect(UnitFile.parse('[A]\nx=a \\\n# c').lookup('A', 'x')).toBe('a');
  });

  test('swallows what looks like a section or an assignment', () => {
    const file = parse('[A]', 'x=a \\', '[B]', 'y=b \\', 'z=c');
    expect(file.sections()).toEqual(['A']);
    expect(file.lookup('A', 'x')).toBe('a  [B]');
    expect(file.lookup('A', 'y')).toBe('b  z=c');
  });

  test('is none after an even number of backslashes, which are escaped ones', () => {
    const file = parse('[A]', 'x=a\\\\', 'y=b\\\\\\', 'c', 'z=1');
    expect(file.lookup('A', 'x')).toBe('a\\\\');
    expect(file.lookup('A', 'y')).toBe('b\\\\ c');
    expect(file.lookup('A', 'z')).toBe('1');
  });

  test('may begin before the "="', () => {
    expect(parse('[A]', 'x \\', '= 1').lookup('A', 'x')).toBe('1');
  });
});

describe('adding', () => {
  test('makes the section if there is none, after an empty line', () => {
    expect(UnitFile.empty().add('A', 'x', '1').add('A', 'y', '2').toString()).toBe('[A]\nx=1\ny=2\n');
    expect(parse('# c', '[A]', 'x=1').add('B', 'y', '2').toString()).toBe('# c\n[A]\nx=1\n\n[B]\ny=2\n');
  });

  test('puts the line behind the last one of the section, before comments that belong to the next', () => {
    const text = parse('[A]', 'x=1', '', '# about B', '[B]', 'y=1').add('A', 'z', '2').toString();
    expect(text).toBe('[A]\nx=1\nz=2\n\n# about B\n[B]\ny=1\n');
  });

  test('uses the last of several sections of a name, so that the value counts', () => {
    const file = parse('[A]', 'x=1', '[B]', '[A]', 'x=2', '[C]').add('A', 'x', '3');
    expect(file.lookup('A', 'x')).toBe('3');
    expect(UnitFile.parse(file.toString()).lookup('A', 'x')).toBe('3');
  });

  test('works in an empty section and in a file without a newline at its end', () => {
    expect(parse('[A]', '[B]').add('A', 'x', '1').toString()).toBe('[A]\nx=1\n[B]\n');
    expect(UnitFile.parse('[A]\nx=1').add('A', 'y', '2').toString()).toBe('[A]\nx=1\ny=2');
  });

  test.each(['[A]\nx=1 \\', '[A]\nx=1 \\\n', '[A]\nx=1 \\\n# c', '[A]\nx=1 \\\n# c\n'])(
    'behind %j does not become a part of the line that was cut off',
    (text) => {
      const again = UnitFile.parse(UnitFile.parse(text).add('A', 'y', '2').toString());
      expect(again.lookup('A', 'x')).toBe('1');
      expect(again.lookup('A', 'y')).toBe('2');
    },
  );
});

describe('setting', () => {
  test('replaces the last line in its place and drops the earlier ones', () => {
    const text = parse('[A]', '# first', 'x=1', 'y=1', '# last', 'x=2', 'z=1').set('A', 'x', '9').toString();
    expect(text).toBe('[A]\n# first\ny=1\n# last\nx=9\nz=1\n');
  });

  test('replaces a continued line as a whole', () => {
    expect(parse('[A]', 'x=1 \\', '# c', ' 2', 'y=1').set('A', 'x', '9').toString()).toBe('[A]\nx=9\ny=1\n');
  });

  test('adds what is not there', () => {
    expect(parse('[A]', 'y=1').set('A', 'x', '9').set('B', 'x', '8').toString()).toBe(
      '[A]\ny=1\nx=9\n\n[B]\nx=8\n',
    );
  });
});

describe('removing', () => {
  test('takes every line of the key and leaves everything else', () => {
    const text = parse('[A]', 'x=1', '# c', 'x=2 \\', '3', 'y=1', '[B]', 'x=1').remove('A', 'x').toString();
    expect(text).toBe('[A]\n# c\ny=1\n[B]\nx=1\n');
  });

  test('of what is not there changes nothing', () => {
    const text = '[A]\nx=1';
    expect(UnitFile.parse(text).remove('A', 'y').remove('B', 'x').toString()).toBe(text);
  });
});

describe('what is no unit file', () => {
  test.each([
    ['x=1\n', 'line 1'],
    ['[A]\nx\n', 'line 2'],
    ['[A]\n=1\n', 'line 2'],
    ['[A\nx=1\n', 'line 1'],
    ['[]\n', 'line 1'],
    ['[A]\n\n# c\n[B] x\n', 'line 4'],
    [`[A]\nx=${'a'.repeat(1024 * 1024)}\n`, 'line 2'],
  ])('is refused with the line: %#', (text, line) => {
    const failure = failureOf(() => UnitFile.parse(text, 'mail.guest'));
    expect(failure.reason).toBe('invalid');
    expect(failure.message).toContain(`mail.guest, ${line}`);
  });
});

describe('a value that would change the meaning of another line', () => {
  test.each([
    'a\nb=c',
    'a\r\n[Service]',
    'a\0',
    'a\u001b',
    'a\\',
    'a\\\\',
    'a\u0085b',
    'a\u2028b',
    'x'.repeat(2 ** 20),
  ])('is refused: %#', (value) => {
    const file = parse('[A]', 'x=1', 'y=2');
    expect(failureOf(() => file.add('A', 'z', value)).reason).toBe('invalid');
    expect(failureOf(() => file.set('A', 'x', value)).reason).toBe('invalid');
    expect(file.toString()).toBe('[A]\nx=1\ny=2\n');
  });

  test.each(['', ' ', 'a b', 'a=b', '#a', '[A]', 'a\nb', 'ä', '-a', '1a'])(
    'as a key it is refused too: %j',
    (key) => {
      expect(failureOf(() => UnitFile.empty().add('A', key, '1')).reason).toBe('invalid');
    },
  );

  test.each(['', ']', 'A]\nx=1\n[B', 'a\nb', '#', 'ä', ' A'])('and as a section: %j', (section) => {
    expect(failureOf(() => UnitFile.empty().add(section, 'x', '1')).reason).toBe('invalid');
  });

  test('does not exist among specifiers that were escaped', () => {
    expect(escapeSpecifiers('100% %i')).toBe('100%% %%i');
  });
});
