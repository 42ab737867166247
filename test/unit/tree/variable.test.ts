import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  escapeArgument,
  escapePath,
  isNameable,
  parseCreatedPaths,
  parseFifoLines,
  renderVariable,
  type VariableEntry,
} from '../../../src/tree/variable.ts';

/** What systemd does with an argument: cunescape(), then specifiers. */
function readArgument(text: string): string {
  return text
    .replace(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replaceAll('%%', '%');
}

/** What extract_first_word() with EXTRACT_UNQUOTE makes of the first field, and what is left of the line. */
function readField(line: string): [field: string, rest: string] {
  let field = '';
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const character = line[i] ?? '';
    if (character === '\\') field += line[++i] ?? '';
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (quote === '' && /\s/.test(character)) return [field.replaceAll('%%', '%'), line.slice(i)];
    else field += character;
  }
  return [field.replaceAll('%%', '%'), ''];
}

const owner = { user: 'root', group: 'root' };
const none = {
  elsewhere: new Set<string>(),
  keepExisting: true,
  links: [{ path: '/var/lib/dpkg', target: '../../usr/lib/sysimage/dpkg' }],
};

describe('escapePath', () => {
  test.each([
    ['/var/lib/plain-1.0_x', '/var/lib/plain-1.0_x'],
    ['/var/lib/two words', '"/var/lib/two words"'],
    ['/var/lib/100%', '/var/lib/100%%'],
    ['/var/lib/back\\slash', '"/var/lib/back\\\\slash"'],
    ['/var/lib/"quoted"', '"/var/lib/\\"quoted\\""'],
    ["/var/lib/it's", '"/var/lib/it\'s"'],
    ['/var/lib/Főtanúsítvány', '/var/lib/Főtanúsítvány'],
  ])('%j becomes %s', (path, field) => {
    expect(escapePath(path)).toBe(field);
  });

  test('is read back as one field that is what it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }).filter(isNameable), (text) => {
        expect(readField(`${escapePath(text)} - rest`)).toEqual([text, ' - rest']);
      }),
    );
  });
});

describe('escapeArgument', () => {
  test('is read back as what it was, and begins with no white space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(readArgument(escapeArgument(text))).toBe(text);
        expect(escapeArgument(text)).not.toMatch(/\s/);
      }),
    );
  });
});

describe('renderVariable', () => {
  const entries: VariableEntry[] = [
    { ...owner, path: '/var/lib/app', kind: 'directory', mode: 0o40750, user: 'app', group: 'adm' },
    { ...owner, path: '/var/lib/app/a file', kind: 'file', mode: 0o100644 },
    { ...owner, path: '/var/lib/app/link', kind: 'link', mode: 0o120777, target: '../50%' },
    { ...owner, path: '/var/lib/app/queue', kind: 'fifo', mode: 0o10600 },
    { ...owner, path: '/var/lib/app/db', kind: 'whole', mode: 0o40700 },
  ];

  test('writes one line per entry', () => {
    const lines = renderVariable(entries, none).split('\n');
    expect(lines).toContain('d /var/lib/app :0750 :app :adm -');
    expect(lines).toContain('C "/var/lib/app/a file" - - - - /usr/share/factory/var/lib/app/a\\x20file');
    expect(lines).toContain('L /var/lib/app/link - - - - ../50%%');
    expect(lines).toContain('p /var/lib/app/queue :0600 :root :root -');
    expect(lines).toContain('C /var/lib/app/db - - - - /usr/share/factory/var/lib/app/db');
  });

  test('an old systemd gets no colons', () => {
    const lines = renderVariable(entries, { ...none, keepExisting: false }).split('\n');
    expect(lines).toContain('d /var/lib/app 0750 app adm -');
  });

  test('leaves out what the packages describe themselves', () => {
    const elsewhere = new Set(['/var/lib/app']);
    expect(renderVariable(entries, { ...none, elsewhere })).not.toMatch(/^d \/var\/lib\/app /m);
  });

  test('makes dpkg find its database', () => {
    expect(renderVariable([], none)).toContain('L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg\n');
  });

  test('fifos are found again', () => {
    expect(parseFifoLines(renderVariable(entries, none))).toEqual([
      'p /var/lib/app/queue :0600 :root :root -',
    ]);
  });
});

test('paths that packages create are recognised', () => {
  const text = [
    '# d /var/comment',
    'd /var/lib/a 0755 - - -',
    'L+ /var/link - - - - x',
    'f! "/var/lib/quoted" 0644',
    'q %S/b/ 0755',
    'z /var/lib/only-adjusted 0644',
    'w /var/lib/only-written - - - - x',
    'r /var/lib/removed',
    'd /run/elsewhere',
  ].join('\n');
  expect(parseCreatedPaths(text)).toEqual(['/var/lib/a', '/var/link', '/var/lib/quoted', '/var/lib/b']);
});
