import * as z from 'zod';
import { Failure } from '../model/failure.ts';

/**
 * Users and groups keep their numbers. Files in a guest's /var belong to numbers, so an account that gets another one
 * at a rebuild loses its data. Every account that a guest ever had is therefore kept in a registry, which goes
 * into each build before packages look for free numbers and comes out extended. Pure.
 */
export interface UserFiles {
  passwd: string;
  group: string;
  shadow: string;
  gshadow: string;
}

export type UserFile = keyof UserFiles;
export const USER_FILES: readonly UserFile[] = ['passwd', 'group', 'shadow', 'gshadow'];

/** Lines of passwd(5) and group(5), without passwords and without members. */
const schema = z.object({ passwd: z.array(z.string()), group: z.array(z.string()) });

export type IdRegistry = Readonly<z.infer<typeof schema>>;

export const EMPTY_REGISTRY: IdRegistry = { passwd: [], group: [] };

export function parseRegistry(text: string, label: string): IdRegistry {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure('invalid', `${label} is damaged: it does not hold user and group ids`, {
      cause: error,
      hint: `Move it away; the ids are then taken from the guest's next build.`,
    });
  }
}

export function renderRegistry(registry: IdRegistry): string {
  return `${JSON.stringify({ passwd: registry.passwd, group: registry.group }, null, 2)}\n`;
}

/** The registry with the accounts of a tree (or of a guest's own /etc) that it did not have. */
export function extendRegistry(registry: IdRegistry, files: Pick<UserFiles, 'passwd' | 'group'>): IdRegistry {
  return {
    passwd: withNew(registry.passwd, accountsOf(files.passwd, 7).map(withoutPassword)),
    group: withNew(registry.group, accountsOf(files.group, 4).map(withoutPassword).map(withoutMembers)),
  };
}

/** An account of the tree that has to give up its number; its files have to be given to the new one. */
export interface IdMove {
  kind: 'user' | 'group';
  name: string;
  from: number;
  to: number;
}

export interface IdPlan {
  files: UserFiles;
  moves: IdMove[];
}

/**
 * The tree's user database with every account of the registry in it, under the registry's number. An account of the
 * tree that has that number meanwhile is moved: to its own registered number, or to a free one.
 */
export function planIds(tree: UserFiles, registry: IdRegistry): IdPlan {
  const users = assign('user', accountsOf(tree.passwd, 7), registry.passwd);
  const groups = assign('group', accountsOf(tree.group, 4), registry.group);
  const groupNumber = new Map(groups.moves.map((move) => [move.from, move.to]));
  const passwd = renumbered(tree.passwd, users, (fields) => {
    const gid = groupNumber.get(Number(fields[3]));
    return gid === undefined ? fields : fields.with(3, String(gid));
  });
  return {
    files: {
      passwd: appended(passwd, users.added),
      group: appended(renumbered(tree.group, groups), groups.added),
      shadow: appended(
        tree.shadow,
        lacking(tree.shadow, users.added).map((name) => `${name}:!*:::::::`),
      ),
      gshadow: appended(
        tree.gshadow,
        lacking(tree.gshadow, groups.added).map((name) => `${name}:!::`),
      ),
    },
    moves: [...users.moves, ...groups.moves],
  };
}

interface Assignment {
  moves: IdMove[];
  numbers: Map<string, number>;
  added: string[];
}

function assign(kind: IdMove['kind'], tree: readonly string[], registry: readonly string[]): Assignment {
  const registered = new Map(registry.map((line) => [nameOf(line), numberOf(line)]));
  const owners = new Map(registry.map((line) => [numberOf(line), nameOf(line)]));
  const taken = new Set([...registered.values(), ...tree.map(numberOf)]);
  const numbers = new Map<string, number>();
  const seen = new Set<number>();
  const moves: IdMove[] = [];
  for (const line of tree) {
    const name = nameOf(line);
    const from = numberOf(line);
    // A second name for a number (toor) follows the first one and owns no files of its own.
    const alias = seen.has(from);
    seen.add(from);
    const owner = owners.get(from);
    const to =
      registered.get(name) ??
      (owner === undefined || owner === name || alias ? from : freeNumber(from, taken));
    taken.add(to);
    numbers.set(name, to);
    if (to !== from && !alias) moves.push({ kind, name, from, to });
  }
  return { moves, numbers, added: registry.filter((line) => !numbers.has(nameOf(line))) };
}

/** System accounts get the highest free number below 1000 (sysusers.d(5)), people the lowest from 1000 (adduser.conf(5)). */
function freeNumber(old: number, taken: ReadonlySet<number>): number {
  if (old < 1000) for (let number = 999; number >= 100; number--) if (!taken.has(number)) return number;
  for (let number = 1000; number < 60_000; number++) if (!taken.has(number)) return number;
  throw new Failure('conflict', 'the tree has no free user or group number left', {
    hint: 'Remove accounts from the guest’s ids.json that no package needs any more.',
  });
}

function renumbered(
  text: string,
  assignment: Assignment,
  also: (fields: string[]) => string[] = (fields) => fields,
): string {
  return text
    .split('\n')
    .map((line) => {
      const number = assignment.numbers.get(nameOf(line));
      if (!isAccount(line) || number === undefined) return line;
      return also(line.split(':')).with(2, String(number)).join(':');
    })
    .join('\n');
}

function appended(text: string, lines: readonly string[]): string {
  if (lines.length === 0) return text;
  return `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${lines.join('\n')}\n`;
}

function lacking(text: string, added: readonly string[]): string[] {
  const names = new Set(text.split('\n').map(nameOf));
  return added.map(nameOf).filter((name) => !names.has(name));
}

function withNew(known: readonly string[], found: readonly string[]): string[] {
  const names = new Set(known.map(nameOf));
  return [...known, ...found.filter((line) => !names.has(nameOf(line)))];
}

/** The well-formed lines: `NAME:…:NUMBER:…` with as many fields as the manual page says. */
function accountsOf(text: string, fields: number): string[] {
  return text.split('\n').filter((line) => isAccount(line) && line.split(':').length === fields);
}

function isAccount(line: string): boolean {
  return /^[^:#+\-\s][^:]*:[^:]*:[0-9]+:/.test(line);
}

export function nameOf(line: string): string {
  return line.split(':', 1)[0] ?? '';
}

function numberOf(line: string): number {
  return Number(line.split(':')[2]);
}

function withoutPassword(line: string): string {
  return line.split(':').with(1, 'x').join(':');
}

function withoutMembers(line: string): string {
  return line.split(':').with(3, '').join(':');
}
