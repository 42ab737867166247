import { Failure } from '../model/failure.ts';
import { nameOf, USER_FILES, type UserFile, type UserFiles } from './ids.ts';

/**
 * The guest's own user database with the accounts that the new tree brought. ostree's merge of /etc keeps a locally
 * changed file whole, so that the users of a new package would be lost. Added are: entries that the new tree has and
 * the guest lacks (by name, with their numbers), and members that the tree added to a group since the old tree.
 * Everything else of the guest's text stays as it is: order, comments, malformed lines, passwords. Pure.
 *
 * @throws Failure `conflict` where the guest has given the number to somebody else
 */
export function mergeUsers(local: UserFiles, treeOld: UserFiles | undefined, treeNew: UserFiles): UserFiles {
  for (const file of ['passwd', 'group'] as const) refuseClash(file, local[file], treeNew[file]);
  const merge = (file: UserFile): string => mergeFile(file, local[file], treeOld?.[file], treeNew[file]);
  const [passwd = '', group = '', shadow = '', gshadow = ''] = USER_FILES.map(merge);
  return { passwd, group, shadow, gshadow };
}

/** Number of fields, and the comma-separated ones: passwd(5), group(5), shadow(5), gshadow(5). */
const FIELDS: Readonly<Record<UserFile, { count: number; lists: readonly number[] }>> = {
  passwd: { count: 7, lists: [] },
  group: { count: 4, lists: [3] },
  shadow: { count: 9, lists: [] },
  gshadow: { count: 4, lists: [2, 3] },
};

function mergeFile(file: UserFile, local: string, treeOld: string | undefined, treeNew: string): string {
  const { lists } = FIELDS[file];
  const known = entries(file, local);
  const before = entries(file, treeOld ?? '');
  const after = entries(file, treeNew);
  const lines = local.split('\n').map((line) => {
    const name = nameOf(line);
    const now = after.get(name);
    if (now === undefined || known.get(name) !== line || treeOld === undefined) return line;
    return lists.reduce((text, field) => withMembers(text, field, before.get(name), now), line);
  });
  const added = [...after].filter(([name]) => !known.has(name)).map(([, line]) => line);
  if (added.length === 0) return lines.join('\n');
  const text = lines.join('\n');
  return `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${added.join('\n')}\n`;
}

/** The line with the members that the tree's entry has now and had not before. */
function withMembers(line: string, field: number, before: string | undefined, now: string): string {
  const had = members(before, field);
  const added = members(now, field).filter((name) => !had.includes(name));
  const present = members(line, field);
  const missing = added.filter((name) => !present.includes(name));
  if (missing.length === 0) return line;
  return line
    .split(':')
    .with(field, [...present, ...missing].join(','))
    .join(':');
}

function members(line: string | undefined, field: number): string[] {
  return (line?.split(':')[field] ?? '').split(',').filter((name) => name !== '');
}

/** Well-formed entries by name; the first of a name counts, as for getpwnam(3). */
function entries(file: UserFile, text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const name = nameOf(line);
    if (line.split(':').length !== FIELDS[file].count || !/^[^#+\-\s]/.test(name)) continue;
    if (!found.has(name)) found.set(name, line);
  }
  return found;
}

function refuseClash(file: 'passwd' | 'group', local: string, treeNew: string): void {
  const known = entries(file, local);
  const tree = entries(file, treeNew);
  const numbers = new Map([...known].map(([name, line]) => [line.split(':')[2] ?? '', name]));
  for (const [name, line] of tree) {
    const number = line.split(':')[2] ?? '';
    const owner = numbers.get(number);
    if (known.has(name) || owner === undefined || tree.get(owner)?.split(':')[2] === number) continue;
    const [kind, what, move] =
      file === 'passwd' ? ['user', 'uid', 'usermod --uid'] : ['group', 'gid', 'groupmod --gid'];
    throw new Failure(
      'conflict',
      `the new tree brings the ${kind} "${name}" with ${what} ${number}, which the guest has given to "${owner}"`,
      {
        hint: `Give "${owner}" another number in the guest (${move} NUMBER ${owner}, then chown its files), and try again.`,
      },
    );
  }
}
