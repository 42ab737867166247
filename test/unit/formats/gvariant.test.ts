import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decode,
  encode,
  SIZE_LIMIT,
  unwrap,
  wrap,
  type Values,
  type Variant,
} from '../../../src/formats/gvariant.ts';
import { failureOf } from '../failures.ts';
import { strings } from './strings.ts';
import { vector, VECTORS } from './vectors.ts';

/** Bytes as they are written in the specification: text as it is, numbers as bytes. */
function bytes(...parts: (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])),
  );
}

function refusalOf(type: keyof Values, data: Uint8Array): string {
  const failure = failureOf(() => decode(type, data, 'FILE'));
  expect(failure.reason).toBe('invalid');
  expect(failure.hint).toBeTruthy();
  expect(failure.message).toMatch(/^FILE: /);
  return failure.message;
}

describe('the examples of the GVariant specification', () => {
  test('a string', () => {
    expect(encode('s', 'hello world')).toEqual(bytes('hello world', 0));
    expect(decode('s', bytes('hello world', 0), 'FILE')).toBe('hello world');
  });

  test('an array of strings', () => {
    const data = bytes('i', 0, 'can', 0, 'has', 0, 'strings?', 0, 0x02, 0x06, 0x0a, 0x13);
    expect(encode('as', ['i', 'can', 'has', 'strings?'])).toEqual(data);
    expect(decode('as', data, 'FILE')).toEqual(['i', 'can', 'has', 'strings?']);
  });

  test('a dictionary entry', () => {
    const data = bytes('a', 0, 'b', 0, 0x02, 0x05);
    expect(encode('a{ss}', new Map([['a', 'b']]))).toEqual(data);
    expect(decode('a{ss}', data, 'FILE')).toEqual(new Map([['a', 'b']]));
  });

  test('nothing in a container is no bytes', () => {
    expect(encode('as', [])).toEqual(bytes());
    expect(encode('a{sv}', new Map())).toEqual(bytes());
    expect(decode('as', bytes(), 'FILE')).toEqual([]);
    expect(decode('a{sv}', bytes(), 'FILE')).toEqual(new Map());
  });
});

describe('refused is', () => {
  test('a string without NUL, with one inside, or that is not UTF-8', () => {
    for (const data of [bytes(), bytes('a'), bytes(0, 0), bytes('a', 0, 'b', 0), bytes(0, 'a')]) {
      expect(refusalOf('s', data)).toContain('NUL');
    }
    // A stray byte, an overlong slash, half a surrogate pair, a cut sequence.
    for (const data of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(refusalOf('s', bytes(...data, 0))).toContain('UTF-8');
    }
  });

  test('a boolean other than one byte of 0 or 1', () => {
    for (const data of [bytes(), bytes(2), bytes(255), bytes(1, 0)]) refusalOf('b', data);
    expect(decode('b', bytes(1), 'FILE')).toBe(true);
    expect(decode('b', bytes(0), 'FILE')).toBe(false);
  });

  test('a table of offsets that is outside, ragged, or goes back', () => {
    expect(refusalOf('as', bytes('a', 0, 0x09))).toContain('cannot start at 9 of 3');
    expect(refusalOf('as', bytes('a', 0, 0x03))).toContain('cannot start');
    expect(refusalOf('as', bytes('a', 0, 'b', 0, 0x04, 0x02, 0x04))).toContain('ends at 2, not after 4');
    expect(refusalOf('as', bytes('a', 0, 'b', 0, 0x09, 0x04))).toContain('ends at 9');
    expect(refusalOf('as', bytes(0, 0, 0))).toContain('a string does not end');
    expect(refusalOf('a{ss}', bytes('a', 0, 'b', 0, 0x09, 0x05))).toContain('a key ends at 9');
    // 256 bytes have wide offsets; this body would do with narrow ones.
    const wide = new Uint8Array(256);
    wide.fill(0x61, 0, 253).set([0, 254, 0], 253);
    expect(refusalOf('as', wide)).toContain('too wide');
  });

  test('padding that is not zero, or a value that starts behind the end', () => {
    const good = encode('a{sv}', new Map([['abc', wrap('s', 'x')]]));
    expect(decode('a{sv}', good, 'FILE').size).toBe(1);
    const dirty = Uint8Array.from(good).fill(1, 5, 6);
    expect(refusalOf('a{sv}', dirty)).toContain('padding');
    expect(refusalOf('a{sv}', bytes('abc', 0, 0x04, 0x05))).toContain('would start at 8');
  });

  test('a key that stands there twice', () => {
    const entry = bytes('a', 0, 'b', 0, 0x02);
    expect(refusalOf('a{ss}', bytes(...entry, ...entry, 0x05, 0x0a))).toContain('"a" stands there twice');
  });

  test('what is not a type, however deep or long', () => {
    const withType = (type: string): Uint8Array => {
      const value = bytes('k', 0, 0, 0, 0, 0, 0, 0, 'x', 0, 0, type);
      const entry = bytes(...value, 2, ...(value.length > 254 ? [0] : []));
      const end = entry.length;
      return bytes(...entry, ...(end > 254 ? [end & 0xff, end >> 8] : [end]));
    };
    for (const type of ['', 'z', 'ss', 'a', 'a{vs}', '{s}', '(s', '()s', '{}', 'a{s', '\u00ff', 'r', '*']) {
      expect(refusalOf('a{sv}', withType(type)), type).toContain('is not the type of a value');
    }
    for (const type of [
      's',
      'v',
      'a{sv}',
      '()',
      '(s(ii)v)',
      'aaaamas',
      '{sv}',
      'a{s(tt)}',
      `${'a'.repeat(64)}s`,
    ]) {
      expect(decode('a{sv}', withType(type), 'FILE').get('k')?.type, type).toBe(type);
    }
    for (const type of [`${'a'.repeat(65)}s`, '('.repeat(200), 'a'.repeat(255), `(${'s'.repeat(300)})`]) {
      expect(refusalOf('a{sv}', withType(type)), type).toContain('is not the type of a value');
    }
  });

  test('more than 1 MiB, and a full one is read', () => {
    expect(refusalOf('s', new Uint8Array(SIZE_LIMIT + 1))).toContain('1 MiB');
    const items = Array.from({ length: Math.floor(SIZE_LIMIT / 5) }, () => '');
    expect(decode('as', encode('as', items), 'FILE').length).toBe(items.length);
    expect(failureOf(() => encode('as', [...items, 'abcdefgh'])).reason).toBe('invalid');
  });

  test('a variant of another type', () => {
    const failure = failureOf(() => unwrap('b', wrap('s', 'true'), 'FILE, locked'));
    expect(failure.message).toBe('FILE, locked: the type is "s" and must be "b"');
    expect(unwrap('b', wrap('b', true), 'FILE')).toBe(true);
  });

  test('a string or type that cannot be written', () => {
    expect(failureOf(() => encode('s', 'a\0b')).reason).toBe('invalid');
    expect(failureOf(() => encode('s', '\ud800')).reason).toBe('invalid');
    const odd: Variant = { type: 'no', data: bytes() };
    expect(failureOf(() => encode('a{sv}', new Map([['k', odd]]))).reason).toBe('invalid');
  });
});

describe('there and back', () => {
  const lists = fc.array(strings, { maxLength: 40 });
  const stringMaps = fc.array(fc.tuple(strings, strings), { maxLength: 20 }).map((pairs) => new Map(pairs));
  const flat: fc.Arbitrary<Variant> = fc.oneof(
    strings.map((value) => wrap('s', value)),
    fc.boolean().map((value) => wrap('b', value)),
    lists.map((value) => wrap('as', value)),
    stringMaps.map((value) => wrap('a{ss}', value)),
    fc.record({
      type: fc.constantFrom('t', '(tt)', 'ay', 'a(sv)', 'v'),
      data: fc.uint8Array({ maxLength: 40 }),
    }),
  );
  const mapsOf = (values: fc.Arbitrary<Variant>): fc.Arbitrary<Map<string, Variant>> =>
    fc.array(fc.tuple(strings, values), { maxLength: 6 }).map((pairs) => new Map(pairs));

  function survives<T extends keyof Values>(type: T, values: fc.Arbitrary<Values[T]>): void {
    fc.assert(
      fc.property(values, (value) => {
        const data = encode(type, value);
        expect(decode(type, data, 'FILE')).toEqual(value);
        expect(encode(type, decode(type, data, 'FILE'))).toEqual(data);
      }),
      { numRuns: 100 },
    );
  }

  test('strings', () => survives('s', strings));
  test('a byte order mark', () => survives('s', fc.constant('\ufeffa')));
  test('lists', () => survives('as', lists));
  test('maps of strings', () => survives('a{ss}', stringMaps));
  test('maps of variants', () => survives('a{sv}', mapsOf(flat)));
  test('maps of maps', () => survives('a{sv}', mapsOf(mapsOf(flat).map((value) => wrap('a{sv}', value)))));

  test('each width of offsets', () => {
    for (const length of [100, 252, 253, 254, 255, 256, 65_530, 65_531, 65_532, 65_533, 65_534, 65_540]) {
      const items = ['x'.repeat(length)];
      expect(decode('as', encode('as', items), 'FILE'), `${length}`).toEqual(items);
    }
  });

  test.each(VECTORS)('%s, written by GLib', (name) => {
    const map = decode('a{sv}', vector(name), 'FILE');
    expect(encode('a{sv}', map)).toEqual(vector(name));
    for (const [key, variant] of map) {
      if (variant.type === 'a{sv}') {
        expect(wrap('a{sv}', unwrap('a{sv}', variant, key)), key).toEqual(variant);
      }
    }
  });
});
