import fc from 'fast-check';

/** Strings that a GVariant can hold: each length of UTF-8, what looks like a byte order mark, control characters. */
export const strings: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(
    fc.string({ minLength: 1, maxLength: 1 }),
    fc.constantFrom('é', '\ufeff', '\ufffd', '\u2028', '🌳', '\u{10ffff}', '\n', '\u0001', '\u0080'),
  ),
  maxLength: 40,
});
