import { Failure } from '../model/failure.ts';
import { quoted } from '../model/names.ts';

/**
 * The part of GVariant's serialised form that ostree's files use: little endian, in normal form. Source: the GVariant
 * Specification 1.0, and glib/gvariant-serialiser.c for what "normal" means. GLib replaces what is damaged by default
 * values; here it is refused.
 *
 * Reading opens one level at a time: a variant inside a map stays bytes until it is unwrapped, so no file can make the
 * reader recurse.
 */

/** A value of any type, not yet read: its type string and its serialised form, which starts at an 8-aligned place. */
export interface Variant {
  type: string;
  data: Uint8Array;
}

/** What is read and written, by type string. */
export interface Values {
  s: string;
  b: boolean;
  as: readonly string[];
  'a{ss}': ReadonlyMap<string, string>;
  'a{sv}': ReadonlyMap<string, Variant>;
}

/** ostree's own files are below 10 KiB; a larger one than this is none of them. */
export const SIZE_LIMIT = 1024 * 1024;

/** As deep as D-Bus allows in a signature (32 arrays and 32 structures), GLib twice that. */
const TYPE_DEPTH_LIMIT = 64;

interface Codec<T> {
  read: (data: Uint8Array, label: string) => T;
  write: (value: T) => Uint8Array;
}

const CODECS: { readonly [T in keyof Values]: Codec<Values[T]> } = {
  s: { read: readString, write: writeString },
  b: { read: readBoolean, write: (value) => Uint8Array.of(value ? 1 : 0) },
  as: {
    read: (data, label) => readArray(data, 1, label).map((item) => readString(item, label)),
    write: (value) => writeArray(value.map(writeString), 1),
  },
  'a{ss}': {
    read: (data, label) => readMap(data, 1, readString, label),
    write: (value) => writeMap(value, 1, writeString),
  },
  'a{sv}': {
    read: (data, label) => readMap(data, 8, readVariant, label),
    write: (value) => writeMap(value, 8, writeVariant),
  },
};

/**
 * Reads a whole value of a known type. `label` names the file, and what in it, in errors. Everything that is not normal
 * form, a key that stands twice in a map, and more than 1 MiB is a Failure `invalid`.
 */
export function decode<T extends keyof Values>(type: T, data: Uint8Array, label: string): Values[T] {
  if (data.length > SIZE_LIMIT) throw damaged(label, `${data.length} bytes are more than the 1 MiB allowed`);
  return CODECS[type].read(data, label);
}

/** Writes normal form, byte for byte as GLib does. Strings that UTF-8 or C cannot hold are a Failure `invalid`. */
export function encode<T extends keyof Values>(type: T, value: Values[T]): Uint8Array {
  return CODECS[type].write(value);
}

/** Reads what is in a variant, if it is of the expected type. */
export function unwrap<T extends keyof Values>(type: T, variant: Variant, label: string): Values[T] {
  if (variant.type !== type)
    throw damaged(label, `the type is ${quoted(variant.type)} and must be "${type}"`);
  return decode(type, variant.data, label);
}

export function wrap<T extends keyof Values>(type: T, value: Values[T]): Variant {
  return { type, data: encode(type, value) };
}

/** `ignoreBOM` keeps a byte order mark: it is a character of the string like any other. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

function readString(data: Uint8Array, label: string): string {
  if (data.indexOf(0) !== data.length - 1 || data.length === 0) {
    throw damaged(label, 'a string does not end at its first NUL');
  }
  try {
    return DECODER.decode(data.subarray(0, -1));
  } catch (cause) {
    throw damaged(label, 'a string is not UTF-8', cause);
  }
}

function writeString(value: string): Uint8Array {
  if (/[\0\p{Surrogate}]/u.test(value)) {
    throw new Failure('invalid', `${quoted(value)} has a NUL or half a character and cannot be stored`);
  }
  return ENCODER.encode(`${value}\0`);
}

function readBoolean(data: Uint8Array, label: string): boolean {
  const [byte] = data;
  if (data.length !== 1 || byte === undefined || byte > 1)
    throw damaged(label, 'a boolean is neither 0 nor 1');
  return byte === 1;
}

/** The child, a NUL, the type string: no type string has a NUL, so the last one is the border. */
function readVariant(data: Uint8Array, label: string): Variant {
  const border = data.lastIndexOf(0);
  if (border < 0) throw damaged(label, 'a variant has no type');
  const type = String.fromCharCode(...data.subarray(border + 1).subarray(0, 256));
  // A type string is at most 255 bytes long in D-Bus; a longer one is cut above and refused here.
  if (type.length > 255 || typeEnd(type, 0, TYPE_DEPTH_LIMIT) !== type.length) {
    throw damaged(label, `${quoted(type)} is not the type of a value`);
  }
  return { type, data: data.subarray(0, border) };
}

function writeVariant({ type, data }: Variant): Uint8Array {
  if (typeEnd(type, 0, TYPE_DEPTH_LIMIT) !== type.length || type.length > 255) {
    throw new Failure('invalid', `${quoted(type)} is not the type of a value`);
  }
  return joined([data, Uint8Array.of(0), ENCODER.encode(type)]);
}

/** Where the one complete type that starts at `at` ends; undefined if there is none. */
function typeEnd(type: string, at: number, depth: number): number | undefined {
  const first = type.charAt(at);
  if (first !== '' && 'bynqiuxthdsogv'.includes(first)) return at + 1;
  if (depth === 0) return undefined;
  if (first === 'a' || first === 'm') return typeEnd(type, at + 1, depth - 1);
  if (first === '{' && 'bynqiuxthdsog'.includes(type.charAt(at + 1) || '-')) {
    const end = typeEnd(type, at + 2, depth - 1);
    return end !== undefined && type[end] === '}' ? end + 1 : undefined;
  }
  if (first !== '(') return undefined;
  let end: number | undefined = at + 1;
  while (end !== undefined && type[end] !== ')') end = typeEnd(type, end, depth - 1);
  return end === undefined ? undefined : end + 1;
}

/**
 * The items of an array whose items have no fixed size. Their ends stand in a table behind them; each item starts at the
 * next aligned place after the one before. The table's own last entry says where the table starts.
 */
function readArray(data: Uint8Array, alignment: number, label: string): Uint8Array[] {
  if (data.length === 0) return [];
  const size = offsetSize(data.length);
  const table = readOffset(data, data.length - size, size, label);
  if (table > data.length - size || (data.length - table) % size !== 0) {
    throw damaged(label, `the table of an array cannot start at ${table} of ${data.length}`);
  }
  const count = (data.length - table) / size;
  if (framedSize(table, count) !== data.length) throw damaged(label, 'the offsets of an array are too wide');
  const items: Uint8Array[] = [];
  let before = 0;
  for (let i = 0; i < count; i++) {
    const start = skipPadding(data, before, alignment, table, label);
    const end = readOffset(data, table + i * size, size, label);
    if (end < start || end > table)
      throw damaged(label, `an item of an array ends at ${end}, not after ${start}`);
    items.push(data.subarray(start, end));
    before = end;
  }
  return items;
}

function writeArray(items: readonly Uint8Array[], alignment: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const ends: number[] = [];
  let end = 0;
  for (const item of items) {
    const start = aligned(end, alignment);
    if (start > end) parts.push(new Uint8Array(start - end));
    parts.push(item);
    end = start + item.length;
    ends.push(end);
  }
  return framed(parts, ends);
}

/** An array of entries with string keys: in each, the key, the value at the next aligned place, the end of the key. */
function readMap<V>(
  data: Uint8Array,
  alignment: number,
  readValue: (data: Uint8Array, label: string) => V,
  label: string,
): Map<string, V> {
  const map = new Map<string, V>();
  for (const entry of readArray(data, alignment, label)) {
    const size = offsetSize(entry.length);
    const body = entry.length - size;
    const keyEnd = readOffset(entry, body, size, label);
    if (keyEnd > body) throw damaged(label, `a key ends at ${keyEnd}, outside of its ${body} bytes`);
    if (framedSize(body, 1) !== entry.length) throw damaged(label, 'the offset of an entry is too wide');
    const key = readString(entry.subarray(0, keyEnd), label);
    if (map.has(key)) throw damaged(label, `the key ${quoted(key)} stands there twice`);
    const start = skipPadding(entry, keyEnd, alignment, body, label);
    map.set(key, readValue(entry.subarray(start, body), label));
  }
  return map;
}

function writeMap<V>(
  map: ReadonlyMap<string, V>,
  alignment: number,
  writeValue: (value: V) => Uint8Array,
): Uint8Array {
  const entries = [...map].map(([name, value]) => {
    const key = writeString(name);
    const padding = new Uint8Array(aligned(key.length, alignment) - key.length);
    return framed([key, padding, writeValue(value)], [key.length]);
  });
  return writeArray(entries, alignment);
}

/** Goes to the next aligned place. What is skipped must be there and be zero. */
function skipPadding(data: Uint8Array, at: number, alignment: number, limit: number, label: string): number {
  const start = aligned(at, alignment);
  if (start > limit) throw damaged(label, `a value would start at ${start}, behind ${limit}`);
  if (data.subarray(at, start).some((byte) => byte !== 0)) throw damaged(label, 'padding is not zero');
  return start;
}

function aligned(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment;
}

/** Bytes of each offset in a container of that size. The fourth width, 8, is for more than 4 GiB. */
function offsetSize(containerSize: number): 1 | 2 | 4 {
  if (containerSize <= 0xff) return 1;
  return containerSize <= 0xffff ? 2 : 4;
}

/** How large a container becomes with its offsets, for which the narrowest width that fits is taken. */
function framedSize(body: number, offsets: number): number {
  for (const width of [1, 2, 4]) {
    const total = body + width * offsets;
    if (offsetSize(total) <= width) return total;
  }
  return Infinity;
}

function readOffset(data: Uint8Array, at: number, size: number, label: string): number {
  if (at < 0 || at + size > data.length) throw damaged(label, 'an offset is missing');
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (data[at + i] ?? 0);
  return value;
}

/** Puts the table of offsets behind the parts. */
function framed(parts: readonly Uint8Array[], offsets: readonly number[]): Uint8Array {
  const body = parts.reduce((sum, part) => sum + part.length, 0);
  const total = framedSize(body, offsets.length);
  if (total > SIZE_LIMIT) throw new Failure('invalid', `${total} bytes are more than the 1 MiB allowed`);
  const size = offsets.length === 0 ? 0 : (total - body) / offsets.length;
  const table = new Uint8Array(size * offsets.length);
  offsets.forEach((offset, index) => {
    for (let i = 0; i < size; i++) table[index * size + i] = Math.floor(offset / 256 ** i) % 256;
  });
  return joined([...parts, table]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function damaged(label: string, what: string, cause?: unknown): Failure {
  return new Failure('invalid', `${label}: ${what}`, {
    hint: 'The file must be a GVariant of type a{sv} in normal form, as ostree writes it.',
    ...(cause === undefined ? {} : { cause }),
  });
}
