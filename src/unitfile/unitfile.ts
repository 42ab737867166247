import { Failure } from '../model/failure.ts';
import { quoted } from '../model/names.ts';

/**
 * A unit file as text that can be read and changed without losing anything: comments, blank lines, order, repeated
 * keys and the way in which lines are folded stay as they were. Syntax: systemd.syntax(7).
 */

interface Assignment {
  kind: 'assignment';
  /** The lines as they stand in the file, continuation lines and comments between them included. */
  raw: string;
  key: string;
  /** The value with continuation lines joined by a space, as systemd reads it. */
  value: string;
  /** Whether the file ended where a further line should have been joined. */
  unended: boolean;
}

interface Header {
  kind: 'header';
  raw: string;
  section: string;
}

interface Filler {
  kind: 'filler';
  raw: string;
}

type Line = Assignment | Header | Filler;

/** systemd reads at most 1 MiB in one line (LONG_LINE_MAX in src/basic/fileio.h). */
const LINE_LIMIT = 1024 * 1024;

export class UnitFile {
  readonly #lines: Line[];
  /** Whether the text ended with a newline, so that it is given back as it was. */
  readonly #finalNewline: boolean;

  private constructor(lines: Line[], finalNewline: boolean) {
    this.#lines = lines;
    this.#finalNewline = finalNewline;
  }

  static empty(): UnitFile {
    return new UnitFile([], true);
  }

  /** Reads a file's text. `name` is used in errors. An assignment before the first section is an error, as in systemd. */
  static parse(text: string, name = 'unit file'): UnitFile {
    const physical = text.split('\n');
    const finalNewline = physical.at(-1) === '';
    if (finalNewline) physical.pop();
    const lines: Line[] = [];
    let section: string | undefined;
    for (let i = 0; i < physical.length; i++) {
      const first = physical[i] ?? '';
      if (first.length > LINE_LIMIT) throw syntaxError(name, i, 'the line is longer than 1 MiB');
      const trimmed = trimLeft(first);
      if (trimmed === '' || isComment(trimmed)) {
        lines.push({ kind: 'filler', raw: first });
        continue;
      }
      // eslint-disable-next-line no-control-regex -- that is what is refused
      const header = /^\[([^[\]\u0000-\u001f]+)\][ \t\r]*$/.exec(trimmed);
      if (header?.[1] !== undefined) {
        section = header[1];
        lines.push({ kind: 'header', raw: first, section });
        continue;
      }
      const { raw, logical, last, unended } = joinContinuation(physical, i);
      const at = logical.indexOf('=');
      if (at <= 0) throw syntaxError(name, i, `${quoted(logical)} is neither KEY=VALUE nor [SECTION]`);
      if (section === undefined)
        throw syntaxError(name, i, 'an assignment stands before the first [SECTION]');
      lines.push({
        kind: 'assignment',
        raw,
        key: trim(logical.slice(0, at)),
        value: trim(logical.slice(at + 1)),
        unended,
      });
      i = last;
    }
    return new UnitFile(lines, finalNewline);
  }

  toString(): string {
    const text = this.#lines.map((line) => line.raw).join('\n');
    return this.#finalNewline && this.#lines.length > 0 ? `${text}\n` : text;
  }

  sections(): string[] {
    return [...new Set(this.#lines.flatMap((line) => (line.kind === 'header' ? [line.section] : [])))];
  }

  /** Keys of a section in order, each once. */
  keys(section: string): string[] {
    return [...new Set(this.#assignments(section).map((line) => line.key))];
  }

  /** The last value of a key, as systemd uses it for keys with one value. */
  lookup(section: string, key: string): string | undefined {
    return this.#assignments(section)
      .filter((line) => line.key === key)
      .at(-1)?.value;
  }

  /** All values of a key; an empty assignment resets those before it (systemd.syntax(7)). */
  lookupAll(section: string, key: string): string[] {
    let values: string[] = [];
    for (const line of this.#assignments(section)) {
      if (line.key !== key) continue;
      values = line.value === '' ? [] : [...values, line.value];
    }
    return values;
  }

  /** All words of all values of a key, split at white space. */
  lookupAllWords(section: string, key: string): string[] {
    return this.lookupAll(section, key).flatMap((value) =>
      value.split(/[ \t]+/).filter((word) => word !== ''),
    );
  }

  /** Adds an assignment at the end of a section, which is made if it is not there. */
  add(section: string, key: string, value: string): this {
    const line = assignment(key, value);
    const header = this.#lines.findLastIndex((each) => each.kind === 'header' && each.section === section);
    if (header < 0) {
      const raw = `[${checkSection(section)}]`;
      if (this.#lines.length > 0) this.#lines.push({ kind: 'filler', raw: '' });
      this.#lines.push({ kind: 'header', raw, section }, line);
      return this;
    }
    let end = header + 1;
    for (let i = header + 1; i < this.#lines.length && this.#lines[i]?.kind !== 'header'; i++) {
      if (this.#lines[i]?.kind === 'assignment') end = i + 1;
    }
    // A continuation that the file's end cut off would swallow the new line; an empty line ends it.
    const before = this.#lines[end - 1];
    const cut = end === this.#lines.length && before?.kind === 'assignment' && before.unended;
    this.#lines.splice(end, 0, ...(cut ? [{ kind: 'filler', raw: '' } as const] : []), line);
    return this;
  }

  /** Makes `value` the only value of a key: the last assignment is replaced in its place, earlier ones go. */
  set(section: string, key: string, value: string): this {
    const line = assignment(key, value);
    const own = this.#assignments(section).filter((each) => each.key === key);
    const last = own.at(-1);
    if (last === undefined) return this.add(section, key, value);
    this.#lines[this.#lines.indexOf(last)] = line;
    for (const other of own.slice(0, -1)) this.#lines.splice(this.#lines.indexOf(other), 1);
    return this;
  }

  remove(section: string, key: string): this {
    for (const line of this.#assignments(section).filter((each) => each.key === key)) {
      this.#lines.splice(this.#lines.indexOf(line), 1);
    }
    return this;
  }

  #assignments(section: string): Assignment[] {
    const found: Assignment[] = [];
    let current: string | undefined;
    for (const line of this.#lines) {
      if (line.kind === 'header') current = line.section;
      else if (line.kind === 'assignment' && current === section) found.push(line);
    }
    return found;
  }
}

/** Doubles `%`, which introduces specifiers in unit files (systemd.unit(5), SPECIFIERS). */
export function escapeSpecifiers(value: string): string {
  return value.replaceAll('%', '%%');
}

function assignment(key: string, value: string): Assignment {
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(key))
    throw new Failure('invalid', `${quoted(key)} is not a unit file key`);
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029]/.test(value)) {
    throw new Failure(
      'invalid',
      `the value of ${key}= contains a line break or control character: ${quoted(value)}`,
    );
  }
  if (value.length + key.length >= LINE_LIMIT)
    throw new Failure('invalid', `the value of ${key}= is longer than 1 MiB`);
  if (value.endsWith('\\')) {
    throw new Failure(
      'invalid',
      `the value of ${key}= ends with a backslash, which would join the next line to it`,
    );
  }
  return { kind: 'assignment', raw: `${key}=${value}`, key, value: trim(value), unended: false };
}

function checkSection(section: string): string {
  if (/^[A-Za-z][A-Za-z0-9 -]*$/.test(section)) return section;
  throw new Failure('invalid', `${quoted(section)} is not a unit file section`);
}

/**
 * A trailing backslash joins the next line with a space; comment lines in between are left out (systemd.syntax(7)).
 * Two backslashes are an escaped one and join nothing (config_parse() in src/shared/conf-parser.c).
 */
function joinContinuation(
  lines: readonly string[],
  start: number,
): { raw: string; logical: string; last: number; unended: boolean } {
  const raw = [lines[start] ?? ''];
  let logical = '';
  let text = lines[start] ?? '';
  let last = start;
  let unended = false;
  while (isOpen(text)) {
    logical += `${text.slice(0, -1)} `;
    let next = last + 1;
    while (next < lines.length && isComment(trimLeft(lines[next] ?? ''))) {
      raw.push(lines[next] ?? '');
      next++;
    }
    if (next >= lines.length) {
      text = '';
      unended = true;
      last = next - 1;
      break;
    }
    text = lines[next] ?? '';
    raw.push(text);
    last = next;
  }
  logical += text;
  return { raw: raw.join('\n'), logical: trimLeft(logical), last, unended };
}

/** Whether the next line is joined to this one. */
function isOpen(text: string): boolean {
  let start = text.length;
  while (text[start - 1] === '\\') start--;
  return (text.length - start) % 2 === 1;
}

function isComment(trimmed: string): boolean {
  return trimmed.startsWith('#') || trimmed.startsWith(';');
}

/** White space is what systemd takes for it: no-break spaces and the like belong to a value. */
function trimLeft(text: string): string {
  return text.replace(/^[ \t\r]+/, '');
}

function trim(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\r'.includes(text.charAt(end - 1))) end--;
  return trimLeft(text.slice(0, end));
}

function syntaxError(name: string, index: number, what: string): Failure {
  return new Failure('invalid', `${name}, line ${index + 1}: ${what}`, {
    hint: 'The syntax is that of unit files: see systemd.syntax(7).',
  });
}
