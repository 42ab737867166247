import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseVariantString } from '../../../src/system/varianttext.ts';

describe('a string in GVariant text', () => {
  test.each([
    ["''\n", ''],
    ['\'say "hi"\'\n', 'say "hi"'],
    ['"it\'s"\n', "it's"],
    ["'a\\\\nb'", 'a\\nb'],
    ["'\\u00e4\\U0001f600'", 'ä😀'],
    ["'\\a\\b\\f\\n\\r\\t\\v'", '\u0007\b\f\n\r\t\v'],
  ])('%j is read', (text, value) => {
    expect(parseVariantString(text)).toBe(value);
  });

  test.each(['', "'", "'a", "'a'b'", "'a\\'", '"a\'', "['a', 'b']", 'uint32 7', 'true', "'a' 'b'", '<"a">'])(
    '%j is none',
    (text) => {
      expect(parseVariantString(text)).toBeUndefined();
    },
  );

  test('of any text is read or is none', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseVariantString(`'${text}'`)));
  });
});
