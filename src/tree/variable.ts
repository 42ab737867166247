/**
 * What a tree has for /var, as tmpfiles.d(5) lines: the content lies below usr/share/factory/var, and systemd-tmpfiles
 * brings into a guest's /var at each boot what is missing there. Existing files are never written to. Pure.
 */
export type VariableEntry = {
  /** Absolute, below /var. */
  path: string;
  /** Name or number. */
  user: string;
  group: string;
  mode: number;
} & ({ kind: 'directory' | 'file' | 'fifo' } | { kind: 'link'; target: string } | { kind: 'whole' });

/** A package database that describes the tree and lies in it; the link makes its tools work in the guest. */
export interface DatabaseLink {
  /** Absolute, below /var. */
  path: string;
  target: string;
}

export interface RenderOptions {
  /** Paths that other tmpfiles.d files of the tree create: theirs win, and a second line is a warning at each boot. */
  elsewhere: ReadonlySet<string>;
  /**
   * Leave mode and owner of existing directories alone, as dpkg does (`:` before the value). The manual of systemd 252
   * has it; a version that does not know it would ignore the line.
   */
  keepExisting: boolean;
  links: readonly DatabaseLink[];
}

export const VARIABLE_CONF = 'usr/lib/tmpfiles.d/guestree-var.conf';

export function renderVariable(entries: readonly VariableEntry[], options: RenderOptions): string {
  const lines = entries
    .filter((entry) => !options.elsewhere.has(entry.path))
    .map((entry) => renderEntry(entry, options.keepExisting));
  return [
    '# Written by guestree when the tree was made: what the packages have in /var.',
    ...lines,
    ...options.links
      .filter(({ path }) => !options.elsewhere.has(path))
      .map(({ path, target }) => `L ${path} - - - - ${target}`),
    'd /run/media 0755 root root -',
    '',
  ].join('\n');
}

function renderEntry(entry: VariableEntry, keepExisting: boolean): string {
  const path = escapePath(entry.path);
  const colon = keepExisting ? ':' : '';
  const owned = `${colon}${mode(entry.mode)} ${colon}${entry.user} ${colon}${entry.group} -`;
  switch (entry.kind) {
    case 'directory':
      return `d ${path} ${owned}`;
    case 'fifo':
      return `p ${path} ${owned}`;
    case 'link':
      return `L ${path} - - - - ${escapeArgument(entry.target)}`;
    case 'file':
    case 'whole':
      // Mode, owner and extended attributes are those of the factory's file (copy_tree_at() in src/shared/copy.c).
      return `C ${path} - - - - ${escapeArgument(`/usr/share/factory${entry.path}`)}`;
  }
}

function mode(value: number): string {
  return (value & 0o7777).toString(8).padStart(4, '0');
}

/**
 * A path field, for systemd of any age: `%` is doubled (specifiers), the rest is put in double quotes where it has to
 * be. The C escapes that the manual page speaks of are read by newer versions only; seen with 252 and 257: the older
 * makes `twox20words` of `two\\x20words`, both understand quotes, and `\\"` and `\\\\` in them.
 */
export function escapePath(path: string): string {
  const plain = path.replaceAll('%', '%%');
  return /[\s"'\\]/.test(plain) ? `"${plain.replace(/["\\]/g, '\\$&')}"` : plain;
}

/** An argument, which goes to the end of the line: cunescape() and specifier_printf() in all versions. */
export function escapeArgument(text: string): string {
  return text
    .replace(/[\s"'\\]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('%', '%%');
}

/** Whether a name can be written in tmpfiles.d(5) at all: not with control characters. */
export function isNameable(name: string): boolean {
  return !/\p{Cc}/u.test(name);
}

/** Types of tmpfiles.d(5) that make the path they name. */
const CREATING = new Set(['f', 'w', 'd', 'D', 'v', 'q', 'Q', 'p', 'L', 'c', 'b', 'C']);

/** Directories of the specifiers that stand for something in /var, tmpfiles.d(5) SPECIFIERS. */
const SPECIFIERS: Readonly<Record<string, string>> = {
  C: '/var/cache',
  L: '/var/log',
  S: '/var/lib',
  V: '/var/tmp',
  '%': '%',
};

/** The paths below /var that a tmpfiles.d file makes. */
export function parseCreatedPaths(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [type = '', path = ''] = line.trim().split(/\s+/);
    if (!CREATING.has(type.charAt(0)) || type.startsWith('w')) return [];
    const plain = path
      .replace(/^"(.*)"$/, '$1')
      .replace(/%(.)/g, (all, letter: string) => SPECIFIERS[letter] ?? all)
      .replace(/\/+$/, '');
    return plain.startsWith('/var') ? [plain] : [];
  });
}

/** The fifos of an older rendering: ostree cannot store them, so the text is the only place that knows them. */
export function parseFifoLines(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('p '));
}
