import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { syncDirectory } from '../system/files.ts';
import {
  extendRegistry,
  planIds,
  USER_FILES,
  nameOf,
  type IdMove,
  type IdRegistry,
  type UserFile,
  type UserFiles,
} from './ids.ts';
import { mergeUsers } from './merge.ts';
import { readWithin, replaceWithin, statWithin, type FileAttributes } from './within.ts';

/** passwd, group, shadow and gshadow of an etc directory; a missing one is empty. */
export async function readUserFiles(etc: string): Promise<UserFiles> {
  const [passwd = '', group = '', shadow = '', gshadow = ''] = await Promise.all(
    USER_FILES.map(async (name) => (await readWithin(etc, name)) ?? ''),
  );
  return { passwd, group, shadow, gshadow };
}

/**
 * Adds the accounts of a deployed tree to the deployment's /etc, which ostree merged from the guest's own
 * (see mergeUsers()). Each file is replaced in one rename and keeps its owner and mode; passwd and group come last, so
 * that an interrupted call is finished by the next one.
 * @param deployment the deployment's directory, with `etc` and `usr/etc`
 * @param previousEtc `usr/etc` of the tree that the guest's /etc was based on
 * @returns the names of the files that changed
 * @throws Failure `conflict` where two accounts want one number
 */
export async function mergeUserDatabases(deployment: string, previousEtc?: string): Promise<UserFile[]> {
  const etc = `${deployment}/etc`;
  for (const name of USER_FILES) {
    const found = await statWithin(etc, name);
    if (found === undefined || found.isFile()) continue;
    throw new Failure('invalid', `/etc/${name} of the guest is not a regular file`, {
      hint: 'The user database has to be a plain file in the guest’s /etc; put it there and try again.',
    });
  }
  const local = await readUserFiles(etc);
  const treeOld = previousEtc === undefined ? undefined : await readUserFiles(previousEtc);
  const merged = mergeUsers(local, treeOld, await readUserFiles(`${deployment}/usr/etc`));
  const changed = (['gshadow', 'shadow', 'group', 'passwd'] as const).filter(
    (name) => merged[name] !== local[name],
  );
  const attributes = await secretAttributes(etc, merged.group);
  for (const name of changed)
    await replaceWithin(etc, name, merged[name], { sync: true, ...attributes[name] });
  if (changed.length > 0) await syncDirectory(etc);
  return changed;
}

/**
 * Prepares a build root for packages: every account of the registry is in its user database, and files follow the
 * accounts that had to move.
 * @param root the build root; files are replaced, never written to
 * @returns whether files had to be given to another number
 */
export async function applyRegistry(root: string, registry: IdRegistry): Promise<boolean> {
  const etc = `${root}/etc`;
  const before = await readUserFiles(etc);
  const { files, moves } = planIds(before, registry);
  const attributes = await secretAttributes(etc, files.group);
  for (const name of USER_FILES) {
    if (files[name] !== before[name]) await replaceWithin(etc, name, files[name], attributes[name]);
  }
  if (moves.length > 0) {
    const numbers = (kind: IdMove['kind']): Map<number, number> =>
      new Map(moves.filter((move) => move.kind === kind).map((move) => [move.from, move.to]));
    await renumber(root, numbers('user'), numbers('group'));
  }
  return moves.length > 0;
}

/** Accounts that only the guest's administrator made: neither the tree nor the registry of packages has them. */
export interface OwnAccounts {
  users: ReadonlySet<string>;
  groups: ReadonlySet<string>;
}

export async function findOwnAccounts(root: string, registry: IdRegistry, etc: string): Promise<OwnAccounts> {
  const packaged = await registerUsers(registry, `${root}/etc`);
  const all = await registerUsers(packaged, etc);
  const only = (lines: readonly string[], known: readonly string[]): Set<string> =>
    new Set(lines.slice(known.length).map(nameOf));
  return { users: only(all.passwd, packaged.passwd), groups: only(all.group, packaged.group) };
}

/**
 * Takes the administrator's accounts out of a build root again. They were there so that no package gets their numbers;
 * in a tree they would come back at the next upgrade after the administrator had deleted them.
 */
export async function withdrawAccounts(root: string, own: OwnAccounts): Promise<void> {
  const etc = `${root}/etc`;
  const files = await readUserFiles(etc);
  for (const name of USER_FILES) {
    const gone = name === 'passwd' || name === 'shadow' ? own.users : own.groups;
    const kept = files[name].split('\n').filter((line) => !gone.has(nameOf(line)));
    const text = kept.join('\n');
    if (text !== files[name]) await replaceWithin(etc, name, text);
  }
}

/** The registry with every account of an etc directory. */
export async function registerUsers(registry: IdRegistry, etc: string): Promise<IdRegistry> {
  return extendRegistry(registry, await readUserFiles(etc));
}

/** For files that do not exist yet: Debian's 0640 root:shadow, or 0000 root:root where there is no such group (Fedora). */
async function secretAttributes(
  etc: string,
  group: string,
): Promise<Partial<Record<UserFile, { attributes: FileAttributes }>>> {
  const gid = /^shadow:[^:]*:([0-9]+):/m.exec(group)?.[1];
  const attributes =
    gid === undefined ? { mode: 0, uid: 0, gid: 0 } : { mode: 0o640, uid: 0, gid: Number(gid) };
  const missing = async (name: UserFile): Promise<boolean> => (await statWithin(etc, name)) === undefined;
  return {
    ...((await missing('shadow')) ? { shadow: { attributes } } : {}),
    ...((await missing('gshadow')) ? { gshadow: { attributes } } : {}),
  };
}

/** All at once, because numbers may be exchanged. chown(2) clears set-id bits, so the mode is set again. */
async function renumber(
  directory: string,
  users: ReadonlyMap<number, number>,
  groups: ReadonlyMap<number, number>,
): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    const found = await lstat(path);
    const uid = users.get(found.uid);
    const gid = groups.get(found.gid);
    if (uid !== undefined || gid !== undefined) {
      await lchown(path, uid ?? found.uid, gid ?? found.gid);
      if (!found.isSymbolicLink() && (found.mode & 0o6000) !== 0) await chmod(path, found.mode & 0o7777);
    }
    if (entry.isDirectory()) await renumber(path, users, groups);
  }
}
