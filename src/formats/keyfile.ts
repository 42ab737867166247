import { Failure } from '../model/failure.ts';
import { quoted } from '../model/names.ts';

/**
 * A GKeyFile as text that can be read and changed without losing anything: comments, blank lines, order and keys that
 * stand there twice. Source: "Key-value file parser" of the GLib manual, glib/gkeyfile.c, and the Desktop Entry
 * Specification for escapes. Other than GLib: no control characters in names of groups and keys, no `\r` kept at the
 * end of a last line without newline.
 *
 * A group is everything under the headers of that name, wherever they stand; of a repeated key the last one counts.
 */

interface Assignment {
  kind: 'assignment';
  /** The line as it stands in the file. */
  raw: string;
  key: string;
  /** The value with its escapes. */
  value: string;
  /** Which line it was, for errors; a line that was set has none. */
  number?: number;
}

interface Header {
  kind: 'header';
  raw: string;
  group: string;
}

/** A comment or a blank line. */
interface Filler {
  kind: 'filler';
  raw: string;
}

type Line = Assignment | Header | Filler;

/** Origin files are below 10 KiB even with hundreds of layered packages. */
const SIZE_LIMIT = 1024 * 1024;

/** What g_ascii_isspace() takes for white space, without the newline; no vertical tab. */
const LEADING_SPACE = /^[ \t\f\r]+/;

const GROUP = /^[^[\]\p{Cc}]+$/u;

/** g_key_file_is_key_name(): spaces only inside, brackets only around a locale at the end. */
const KEY = /^[^=[\]#\p{Cc} ](?:[^=[\]\p{Cc}]*[^=[\]\p{Cc} ])?(?:\[[\p{L}\p{N}_.@-]*\])?$/u;

const UNESCAPED: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' };

const ESCAPED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\\': '\\\\' };

export class KeyFile {
  #lines: Line[];
  /** Whether the text ended with a newline, so that it is given back as it was. */
  readonly #finalNewline: boolean;
  readonly #label: string;

  private constructor(lines: Line[], finalNewline: boolean, label: string) {
    this.#lines = lines;
    this.#finalNewline = finalNewline;
    this.#label = label;
  }

  /**
   * Reads a file's text; `label` is the file's name, for errors. Decode it strictly: what a lenient decoder puts in the
   * place of a damaged byte would be written back.
   */
  static parse(text: string, label: string): KeyFile {
    if (text.length > SIZE_LIMIT) throw new Failure('invalid', `${label} is larger than 1 MiB`);
    if (!isUtf8(text)) throw new Failure('invalid', `${label} is not UTF-8`);
    const physical = text.split('\n');
    const finalNewline = physical.at(-1) === '';
    if (finalNewline) physical.pop();
    let inGroup = false;
    const lines = physical.map((raw, index): Line => {
      const line = parseLine(raw, index + 1, label);
      if (line.kind === 'header') inGroup = true;
      else if (line.kind === 'assignment' && !inGroup) {
        throw syntaxError(label, index + 1, 'a key stands before the first [GROUP]');
      }
      return line;
    });
    return new KeyFile(lines, finalNewline, label);
  }

  toString(): string {
    const text = this.#lines.map((line) => line.raw).join('\n');
    return this.#finalNewline && this.#lines.length > 0 ? `${text}\n` : text;
  }

  /** Groups in order, each once. */
  groups(): string[] {
    return [...new Set(this.#lines.flatMap((line) => (line.kind === 'header' ? [line.group] : [])))];
  }

  /** Keys of a group in order, each once. */
  keys(group: string): string[] {
    return [...new Set(this.#assignments(group).map((line) => line.key))];
  }

  /** The value as g_key_file_get_string() gives it. An escape that GLib does not know is a Failure `invalid`. */
  get(group: string, key: string): string | undefined {
    const line = this.#last(group, key);
    return line && this.#read(line, false).join('');
  }

  /** The items as g_key_file_get_string_list() gives them; none if the key is not there. */
  getList(group: string, key: string): string[] {
    const line = this.#last(group, key);
    if (line === undefined) return [];
    const items = this.#read(line, true);
    // Each separator ends an item: what is behind the last one is an item only if there is something.
    if (items.at(-1) === '') items.pop();
    return items;
  }

  /** As g_key_file_get_boolean(): `true` or `1`, `false` or `0`, and a Failure `invalid` for anything else. */
  getBoolean(group: string, key: string): boolean | undefined {
    const line = this.#last(group, key);
    if (line === undefined) return undefined;
    const value = trimEnd(line.value);
    if (['true', '1'].includes(value)) return true;
    if (['false', '0'].includes(value)) return false;
    throw this.#badValue(line, `${quoted(value)} is neither true nor false`);
  }

  /** Makes `value` the only one of its key. A group that is not there comes at the end. */
  set(group: string, key: string, value: string): this {
    return this.#put(group, key, escape(value));
  }

  /** Writes a list as GLib does, with a `;` behind each item. */
  setList(group: string, key: string, values: readonly string[]): this {
    return this.#put(group, key, values.map((item) => `${escape(item).replaceAll(';', '\\;')};`).join(''));
  }

  /** Takes a key out of a group, comments stay. */
  remove(group: string, key: string): this {
    return this.#drop(this.#assignments(group).filter((line) => line.key === key));
  }

  /** Gives a key another name in its place, if it is there. A key that already has the new name goes. */
  rename(group: string, key: string, name: string): this {
    const last = this.#last(group, key);
    if (last === undefined || key === name) return this;
    this.remove(group, name);
    const number = last.number === undefined ? {} : { number: last.number };
    this.#lines[this.#lines.indexOf(last)] = { ...assignment(name, last.value), ...number };
    return this.remove(group, key);
  }

  /** Takes a group out with all its keys. Comments behind its last key stay: they may be about the next group. */
  removeGroup(group: string): this {
    for (;;) {
      const start = this.#lines.findIndex((line) => line.kind === 'header' && line.group === group);
      if (start < 0) return this;
      let end = this.#sectionEnd(start);
      while (isBlank(this.#lines[end])) end++;
      this.#lines.splice(start, end - start);
      // Nothing follows: the blank line that set it apart from the group before goes too.
      if (start === this.#lines.length && isBlank(this.#lines[start - 1])) this.#lines.pop();
    }
  }

  #put(group: string, key: string, value: string): this {
    const line = assignment(key, value);
    const own = this.#assignments(group).filter((each) => each.key === key);
    const last = own.pop();
    if (last === undefined) return this.#add(group, line);
    this.#lines[this.#lines.indexOf(last)] = line;
    return this.#drop(own);
  }

  #drop(lines: readonly Line[]): this {
    const gone = new Set(lines);
    this.#lines = this.#lines.filter((line) => !gone.has(line));
    return this;
  }

  #add(group: string, line: Assignment): this {
    const header = this.#lines.findLastIndex((each) => each.kind === 'header' && each.group === group);
    if (header >= 0) {
      this.#lines.splice(this.#sectionEnd(header), 0, line);
      return this;
    }
    if (!GROUP.test(group) || !isUtf8(group)) throw new Failure('invalid', `${quoted(group)} is not a group`);
    if (this.#lines.length > 0) this.#lines.push({ kind: 'filler', raw: '' });
    this.#lines.push({ kind: 'header', raw: `[${group}]`, group }, line);
    return this;
  }

  /** The place behind the last key below a header. */
  #sectionEnd(header: number): number {
    let end = header + 1;
    for (let i = end; i < this.#lines.length && this.#lines[i]?.kind !== 'header'; i++) {
      if (this.#lines[i]?.kind === 'assignment') end = i + 1;
    }
    return end;
  }

  #assignments(group: string): Assignment[] {
    const found: Assignment[] = [];
    let current: string | undefined;
    for (const line of this.#lines) {
      if (line.kind === 'header') current = line.group;
      else if (line.kind === 'assignment' && current === group) found.push(line);
    }
    return found;
  }

  #last(group: string, key: string): Assignment | undefined {
    return this.#assignments(group).findLast((line) => line.key === key);
  }

  /** The value without its escapes, cut at each `;` if it is a list. */
  #read(line: Assignment, list: boolean): string[] {
    const pieces: string[] = [];
    let piece = '';
    for (let i = 0; i < line.value.length; i++) {
      const character = line.value.charAt(i);
      if (list && character === ';') {
        pieces.push(piece);
        piece = '';
      } else if (character === '\\') {
        i++;
        const letter = line.value.charAt(i);
        const meant = list && letter === ';' ? ';' : UNESCAPED[letter];
        if (meant === undefined) throw this.#badValue(line, `${quoted(`\\${letter}`)} is not an escape`);
        piece += meant;
      } else {
        piece += character;
      }
    }
    return [...pieces, piece];
  }

  #badValue(line: Assignment, what: string): Failure {
    if (line.number !== undefined) return syntaxError(this.#label, line.number, what);
    return new Failure('invalid', `${this.#label}, ${line.key}: ${what}`);
  }
}

function parseLine(raw: string, number: number, label: string): Line {
  if (raw.includes('\0')) throw syntaxError(label, number, 'the line contains a NUL byte');
  const text = raw.replace(/\r$/, '').replace(LEADING_SPACE, '');
  if (text === '' || text.startsWith('#')) return { kind: 'filler', raw };
  const group = /^\[([^\]]*)\][ \t]*$/.exec(text)?.[1];
  if (group !== undefined) {
    if (GROUP.test(group)) return { kind: 'header', raw, group };
    throw syntaxError(label, number, `${quoted(group)} is not the name of a group`);
  }
  const at = text.indexOf('=');
  if (at <= 0) throw syntaxError(label, number, `${quoted(text)} is neither KEY=VALUE nor [GROUP]`);
  const key = trimEnd(text.slice(0, at));
  if (!KEY.test(key)) throw syntaxError(label, number, `${quoted(key)} is not a key`);
  return { kind: 'assignment', raw, key, value: text.slice(at + 1).replace(LEADING_SPACE, ''), number };
}

function assignment(key: string, value: string): Assignment {
  if (!KEY.test(key) || !isUtf8(key)) throw new Failure('invalid', `${quoted(key)} is not a key`);
  return { kind: 'assignment', raw: `${key}=${value}`, key, value };
}

/** Escapes what would end the line or, at the beginning, be taken for white space around "=". */
function escape(value: string): string {
  // eslint-disable-next-line no-control-regex -- that is what is refused
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(value) || !isUtf8(value)) {
    throw new Failure('invalid', `${quoted(value)} contains what a key file cannot hold`);
  }
  return value
    .replaceAll(/[\n\r\\]/g, (character) => ESCAPED[character] ?? character)
    .replace(/^[ \t]+/, (space) => space.replaceAll(' ', '\\s').replaceAll('\t', '\\t'));
}

/** Half a surrogate pair has no UTF-8. */
function isUtf8(value: string): boolean {
  return !/\p{Surrogate}/u.test(value);
}

/** By hand: a pattern that ends in "white space, end" takes quadratic time on a long run of white space. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\f\r'.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function isBlank(line: Line | undefined): boolean {
  return line?.kind === 'filler' && line.raw.trim() === '';
}

function syntaxError(label: string, number: number, what: string): Failure {
  return new Failure('invalid', `${label}, line ${number}: ${what}`, {
    hint: 'The syntax is that of GLib key files: [GROUP], KEY=VALUE and comments that start with "#".',
  });
}
