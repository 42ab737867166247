import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { encode, wrap, type Variant } from '../../../src/formats/gvariant.ts';
import { parseOrigin, renderOrigin } from '../../../src/formats/origin.ts';
import { parseStagedDeployment, renderStagedDeployment } from '../../../src/formats/staged.ts';
import { Failure } from '../../../src/model/failure.ts';
import { ORIGINS } from './origins.ts';
import { Random } from './random.ts';
import { vector, VECTORS } from './vectors.ts';

/**
 * Both files are written by root on the host, but they are read by a program that runs as root and may find them cut
 * off by a power failure. Whatever is in them, the readers give a value or refuse it, and soon.
 *
 * Each run has another seed; a failure names it, and `FUZZ_SEED=… npx vitest run test/unit/formats/fuzz.test.ts`
 * repeats the run.
 */
const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));

/** A case must not take longer (milliseconds): that would be a way to hang the reader. */
const LONGEST = 1000;

interface Tally {
  cases: number;
  refused: number;
  read: number;
}

/** Runs each input. `read` may throw nothing but a Failure `invalid`, `confirm` nothing at all. */
function run<I extends string | Uint8Array, T>(
  inputs: Iterable<I>,
  read: (input: I) => T,
  confirm: (value: T, input: I) => void,
): Tally {
  const tally: Tally = { cases: 0, refused: 0, read: 0 };
  // Vitest asks for 100 frames, and collecting them takes most of the time of a refusal.
  Error.stackTraceLimit = 1;
  for (const input of inputs) {
    tally.cases++;
    const start = performance.now();
    try {
      const value = readOrRefuse(read, input);
      if (value === undefined) tally.refused++;
      // Rendering takes longer than reading: what every eighth one shows is enough.
      else if (++tally.read % 8 === 0) confirm(value, input);
      // Once more if it was slow: the machine may have stood still.
      if (performance.now() - start > LONGEST && timeOf(() => readOrRefuse(read, input)) > LONGEST) {
        throw new Error(`it takes more than ${LONGEST} ms`);
      }
    } catch (cause) {
      const shown = typeof input === 'string' ? JSON.stringify(input) : Buffer.from(input).toString('base64');
      throw new Error(`FUZZ_SEED=${SEED}, case ${tally.cases}: ${String(cause)}\n${shown}`, { cause });
    }
  }
  return tally;
}

function timeOf(call: () => unknown): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

function readOrRefuse<I, T>(read: (input: I) => T, input: I): T | undefined {
  try {
    return read(input);
  } catch (error) {
    if (error instanceof Failure && error.reason === 'invalid') return undefined;
    throw error;
  }
}

function report(what: string, { cases, refused, read }: Tally): void {
  console.log(`${what}: ${cases} cases, ${refused} refused, ${read} read (FUZZ_SEED=${SEED})`);
}

function* truncations(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
}

function* bitFlips(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Uint8Array.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield copy;
  }
}

/** Values that are borders of something (offsets, signs, UTF-8), and hexadecimal digits, which may pass. */
const ODD_BYTES = [
  0x30, 0x39, 0x61, 0x66, 0, 1, 2, 7, 8, 0x2f, 0x5f, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xfe, 0xff,
];

function mutation(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let left = 1 + random.below(4); left > 0; left--) {
    // Every fourth time near the end, where the table of offsets is.
    const at = random.below(4) > 0 ? random.below(copy.length) : copy.length - 1 - random.below(12);
    copy[at] = random.below(2) === 0 ? random.below(256) : random.pick(ODD_BYTES);
  }
  return copy;
}

/** The beginning of one, a piece of another, the end of a third. */
function splice(random: Random, all: readonly Uint8Array[]): Uint8Array {
  const [a, b, c] = [random.pick(all), random.pick(all), random.pick(all)];
  const from = random.below(b.length);
  return new Uint8Array(
    Buffer.concat([
      a.subarray(0, random.below(a.length + 1)),
      b.subarray(from, from + random.below(40)),
      c.subarray(random.below(c.length + 1)),
    ]),
  );
}

function noise(random: Random, longest: number): Uint8Array {
  return new Uint8Array(random.below(longest)).map(() => random.below(256));
}

const TEXTS = ['', 'x', 'guest', '..', 'a/b', 'é', '\n', '__proto__', `${'a'.repeat(64)}.0`, 'b'.repeat(64)];
const KEYS = ['target', 'locked', 'merge-deployment', 'kargs', 'overlay-initrds', 'bootconfig-extra', 'new'];

/** Sound files that say odd things. */
function oddMap(random: Random, keys: readonly string[], depth: number): Map<string, Variant> {
  return new Map(
    keys.filter(() => random.below(4) > 0).map((key) => [key, oddVariant(random, depth)] as const),
  );
}

function oddVariant(random: Random, depth: number): Variant {
  const text = () => random.pick(TEXTS);
  const kind = random.below(depth > 0 ? 12 : 5);
  if (kind < 2) return wrap('s', text());
  if (kind === 2) return wrap('b', random.below(2) === 0);
  if (kind === 3) return wrap('as', [text(), text()]);
  if (kind === 4) return wrap('a{ss}', new Map([[text(), text()]]));
  if (kind === 5) return { type: random.pick(['v', 'ay', '(tt)', 'a{sv}', 's']), data: noise(random, 30) };
  return wrap('a{sv}', oddMap(random, ['name', 'osname', 'bootcsum', 'more'], depth - 1));
}

function* stagedInputs(random: Random): Iterable<Uint8Array> {
  const files = VECTORS.map(vector);
  for (const file of files) {
    yield* truncations(file);
    yield* bitFlips(file);
  }
  for (let i = 0; i < 55_000; i++) yield mutation(random, random.pick(files));
  for (let i = 0; i < 15_000; i++) yield splice(random, files);
  for (let i = 0; i < 10_000; i++) yield noise(random, 300);
  for (let i = 0; i < 10_000; i++) yield encode('a{sv}', oddMap(random, KEYS, 2));
}

test('any bytes are a staged deployment or are refused', () => {
  const tally = run(
    stagedInputs(new Random(SEED)),
    (bytes) => parseStagedDeployment(bytes, 'FILE'),
    (staged) => {
      const again = parseStagedDeployment(renderStagedDeployment(staged), 'FILE');
      if (!isDeepStrictEqual(again, staged)) throw new Error('it is not read as it was written');
    },
  );
  report('staged deployments', tally);
  expect(tally.cases).toBeGreaterThanOrEqual(100_000);
  expect(Math.min(tally.refused, tally.read)).toBeGreaterThan(1000);
});

/** What means something in a key file, and what a terminal or a decoder stumbles over. */
const TOKENS = [
  ...['\n', '\r', '\r\n', '\t', ' ', '\f', '\v', '\0', '=', ';', ',', ':', '#', '[', ']', '\\', '\\;', '\\s'],
  ...['\\n', '\\q', '[origin]', '[packages]\n', '\nrequested=', '\nrefspec=x', '\nbaserefspec=', '[de]'],
  ...[
    'true',
    'pinned=1\n',
    'repo=',
    'a'.repeat(64),
    '\u2028',
    '\u0085',
    '\ufeff',
    '\ud800',
    '🌳',
    '__proto__',
  ],
];

function textMutation(random: Random, text: string): string {
  let changed = text;
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(changed.length + 1);
    const gone = random.below(2) === 0 ? 0 : random.below(6);
    const token = random.below(5) === 0 ? '' : random.pick(TOKENS);
    changed = changed.slice(0, at) + token + changed.slice(at + gone);
  }
  return changed;
}

/** Lines of several files in any order, some more than once. */
function lineMix(random: Random, lines: readonly string[]): string {
  const some = Array.from({ length: random.below(14) }, () => random.pick(lines));
  return (random.below(3) === 0 ? some : ['[origin]', 'refspec=a:b', ...some]).join('\n');
}

function* originInputs(random: Random): Iterable<string> {
  const encoder = new TextEncoder();
  const files = ORIGINS.map((text) => encoder.encode(text));
  const lines = ORIGINS.flatMap((text) => text.split('\n'));
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  for (const file of files) {
    for (const bytes of truncations(file)) yield decode(bytes);
    for (const bytes of bitFlips(file)) yield decode(bytes);
  }
  for (let i = 0; i < 45_000; i++) yield textMutation(random, random.pick(ORIGINS));
  for (let i = 0; i < 20_000; i++) yield lineMix(random, lines);
  for (let i = 0; i < 15_000; i++) yield decode(splice(random, files));
  for (let i = 0; i < 10_000; i++) yield decode(noise(random, 200));
  for (let i = 0; i < 5000; i++) {
    yield Array.from({ length: random.below(40) }, () => random.pick(TOKENS)).join('');
  }
}

test('any text is an origin or is refused', () => {
  const tally = run(
    originInputs(new Random(SEED)),
    (text) => parseOrigin(text, 'FILE'),
    (origin) => {
      const text = renderOrigin(origin);
      const again = parseOrigin(text, 'FILE');
      if (!isDeepStrictEqual({ ...again, text: '' }, { ...origin, text: '' }))
        throw new Error('another meaning');
      if (renderOrigin(again) !== text) throw new Error('it is not written the same way twice');
    },
  );
  report('origins', tally);
  expect(tally.cases).toBeGreaterThanOrEqual(100_000);
  expect(Math.min(tally.refused, tally.read)).toBeGreaterThan(1000);
});
