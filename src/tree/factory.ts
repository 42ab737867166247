import { lstat, readdir, readlink } from 'node:fs/promises';
import { databaseLinks, DPKG_DATABASE } from './databases.ts';
import { readRpmDatabase } from './rpmdb.ts';
import {
  isNameable,
  parseCreatedPaths,
  parseFifoLines,
  renderVariable,
  VARIABLE_CONF,
  type VariableEntry,
} from './variable.ts';
import { directoryWithin, listWithin, readWithin, removeWithin } from './within.ts';

/** What /var of a root file system has, rendered for tmpfiles.d. */
export interface VariableSurvey {
  conf: string;
  warnings: string[];
}

/**
 * Looks through /var of a root file system whose package databases lie in usr already, and removes from it what ostree
 * cannot store: fifos (they become `p` lines), sockets and device nodes.
 *
 * Every entry gets a line: what a new version of a package adds appears in a guest that has the directory already. One
 * exception: a directory with files that scripts made when the package was installed (the first database of a server,
 * say) is state, if the directory was made by scripts, too, or belongs to a daemon's user. It is copied once as a
 * whole, so that a file which the daemon deleted later does not come back at the next boot; only new directories and
 * files of packages in it do.
 */
export async function surveyVariable(root: string): Promise<VariableSurvey> {
  const owned = await packageFiles(root);
  const survey: Survey = { root, owned, entries: [], warnings: [], ...(await namesOf(root)) };
  await surveyDirectory(survey, 'var', { state: false, uid: 0 });
  const old = parseFifoLines((await readWithin(root, VARIABLE_CONF)) ?? '');
  const conf = renderVariable(survey.entries, {
    elsewhere: await createdElsewhere(root),
    keepExisting: await keepsExisting(root),
    links: await databaseLinks(root),
  });
  const kept = old.filter((line) => !conf.split('\n').includes(line));
  return { conf: [conf, ...kept.map((line) => `${line}\n`)].join(''), warnings: survey.warnings };
}

interface Survey {
  root: string;
  /** Paths of packages below /var; undefined if the tree has no package database. */
  owned: ReadonlySet<string> | undefined;
  users: ReadonlyMap<number, string>;
  groups: ReadonlyMap<number, string>;
  entries: VariableEntry[];
  warnings: string[];
}

interface Parent {
  /** Inside a directory that is copied as a whole. */
  state: boolean;
  uid: number;
}

async function surveyDirectory(survey: Survey, path: string, parent: Parent): Promise<void> {
  const directory = `${survey.root}/${path}`;
  for (const entry of (await readdir(directory, { withFileTypes: true })).sort(byName)) {
    const below = `${path}/${entry.name}`;
    if (!isNameable(entry.name)) {
      survey.warnings.push(
        `${JSON.stringify(`/${below}`)} cannot be brought into a guest's /var: its name has control characters.`,
      );
      continue;
    }
    const found = await lstat(`${survey.root}/${below}`);
    const common = {
      path: `/${below}`,
      user: survey.users.get(found.uid) ?? String(found.uid),
      group: survey.groups.get(found.gid) ?? String(found.gid),
      mode: found.mode,
    };
    if (entry.isDirectory()) {
      // systemd-tmpfiles refuses to go from a directory of one user to one of another (unsafe_transition(),
      // src/basic/fs-util.c), so below this point only a copy of the whole is possible.
      const unsafe = parent.uid !== 0 && parent.uid !== found.uid;
      const made = await isState(survey, below, found.uid);
      const whole = !parent.state && (made || unsafe);
      if (whole || !unsafe) survey.entries.push({ ...common, kind: whole ? 'whole' : 'directory' });
      if (unsafe) continue;
      await surveyDirectory(survey, below, { state: parent.state || made, uid: found.uid });
    } else if (entry.isSymbolicLink()) {
      if (!parent.state)
        survey.entries.push({ ...common, kind: 'link', target: await readlink(`${survey.root}/${below}`) });
    } else if (entry.isFile()) {
      if (!parent.state || survey.owned?.has(`/${below}`) === true)
        survey.entries.push({ ...common, kind: 'file' });
    } else {
      await removeWithin(survey.root, below);
      if (entry.isFIFO()) survey.entries.push({ ...common, kind: 'fifo' });
      else if (!entry.isSocket())
        survey.warnings.push(`/${below} is a device node and was left out of the tree.`);
    }
  }
}

async function isState(survey: Survey, path: string, uid: number): Promise<boolean> {
  const { owned, root } = survey;
  if (owned === undefined) return false;
  if (!owned.has(`/${path}`)) return hasFiles(`${root}/${path}`);
  if (uid === 0) return false;
  const entries = await readdir(`${root}/${path}`, { withFileTypes: true });
  return entries.some((entry) => entry.isFile() && !owned.has(`/${path}/${entry.name}`));
}

async function hasFiles(directory: string): Promise<boolean> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory() || (await hasFiles(`${directory}/${entry.name}`))) return true;
  }
  return false;
}

/** What lies in var of a tree and elsewhere for packages (see layout.ts). */
const MOVED: readonly (readonly [from: RegExp, to: string])[] = [
  [/^\/usr\/local(?=\/|$)/, '/var/usrlocal'],
  [/^\/root(?=\/|$)/, '/var/roothome'],
  [/^\/(home|srv|mnt)(?=\/|$)/, '/var/$1'],
];

/** What packages own below /var. */
async function packageFiles(root: string): Promise<Set<string> | undefined> {
  const files = (await dpkgFiles(root)) ?? (await readRpmDatabase(root))?.flatMap((each) => each.files());
  if (files === undefined) return undefined;
  const place = (line: string): string => MOVED.reduce((path, [from, to]) => path.replace(from, to), line);
  const known = files.map(place);
  // What base-files makes by a script is nobody's state.
  const always = MOVED.flatMap(([, to]) => (to.endsWith('$1') ? [] : [to])).concat(
    '/var/home',
    '/var/srv',
    '/var/mnt',
  );
  const below = known.filter((line) => line.startsWith('/var')).flatMap(withParents);
  return new Set([...below, ...always]);
}

/** dpkg's lists name every directory on the way, rpm knows only those that a package owns. */
function withParents(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 2).join('/'));
}

/** dpkg's `info/PACKAGE.list` has one absolute path a line. */
async function dpkgFiles(root: string): Promise<string[] | undefined> {
  const lists = (await listWithin(root, `${DPKG_DATABASE}/info`)).filter((name) => name.endsWith('.list'));
  if (lists.length === 0) return undefined;
  const texts = await Promise.all(lists.map((name) => readWithin(root, `${DPKG_DATABASE}/info/${name}`)));
  return texts.flatMap((text) => (text ?? '').split('\n'));
}

async function namesOf(root: string): Promise<Pick<Survey, 'users' | 'groups'>> {
  const read = async (path: string): Promise<Map<number, string>> => {
    const lines = ((await readWithin(root, path)) ?? '').split('\n').map((line) => line.split(':'));
    return new Map(
      lines
        .reverse()
        .flatMap(([name, , number]) => (name && number ? [[Number(number), name] as const] : [])),
    );
  };
  return { users: await read('etc/passwd'), groups: await read('etc/group') };
}

async function createdElsewhere(root: string): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const name of await listWithin(root, 'usr/lib/tmpfiles.d')) {
    const path = `usr/lib/tmpfiles.d/${name}`;
    if (path === VARIABLE_CONF || !name.endsWith('.conf')) continue;
    for (const created of parseCreatedPaths((await readWithin(root, path)) ?? '')) paths.add(created);
  }
  return paths;
}

/** systemd's version from the name of its library; Debian has it in the multiarch directory. */
async function keepsExisting(root: string): Promise<boolean> {
  const directories = [
    'usr/lib/systemd',
    ...(await listWithin(root, 'usr/lib')).map((name) => `usr/lib/${name}/systemd`),
  ];
  for (const directory of directories) {
    if ((await directoryWithin(root, directory)) === undefined) continue;
    for (const name of await listWithin(root, directory)) {
      const version = /^libsystemd-shared-([0-9]+)/.exec(name)?.[1];
      if (version !== undefined) return Number(version) >= 252;
    }
  }
  return false;
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
