const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/**
 * Reads a string as g_variant_print() writes it (GVariant Text Format): in single quotes, or in double ones if it has a
 * single one in it, with backslash escapes. Anything else than one string gives undefined.
 */
export function parseVariantString(text: string): string | undefined {
  const body = /^'((?:[^'\\]|\\.)*)'\s*$/.exec(text)?.[1] ?? /^"((?:[^"\\]|\\.)*)"\s*$/.exec(text)?.[1];
  return body?.replaceAll(
    /\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g,
    (_, short: string | undefined, long: string | undefined, letter: string | undefined) =>
      letter === undefined
        ? String.fromCodePoint(Number.parseInt(short ?? long ?? '', 16))
        : (ESCAPES[letter] ?? letter),
  );
}
