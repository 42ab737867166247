import { dirname, relative } from 'node:path';
import { findRpmDatabase } from './rpmdb.ts';
import type { DatabaseLink } from './variable.ts';
import {
  directoryWithin,
  linkWithin,
  listWithin,
  makeDirectoryWithin,
  moveWithin,
  removeWithin,
  statWithin,
} from './within.ts';

/**
 * Package databases describe the tree, so they are part of it: they lie below usr, and a link leads to them from the
 * place in /var where their tools look. dpkg replaces its directory while it works and gets it back for that time; rpm
 * and dnf work through the link.
 */
export const DPKG_DATABASE = 'usr/lib/sysimage/dpkg';
const DPKG_VARIABLE = 'var/lib/dpkg';
const RPM_VARIABLE = 'var/lib/rpm';

/**
 * What dnf knows about packages beyond rpm: which were asked for, and chosen module streams. It is linked for builds only:
 * dnf opens `history.sqlite` for writing whatever it is asked, so that a guest's own dnf needs one in /var, where it
 * makes it at the first use.
 */
const DNF_DATABASE = 'usr/lib/sysimage/dnf';
const DNF_VARIABLE = 'var/lib/dnf';

/** Moves the databases of a root file system out of its /var. */
export async function databasesIntoUsr(root: string): Promise<void> {
  await moveUnlessLink(root, DPKG_VARIABLE, DPKG_DATABASE);
  const rpm = await findRpmDatabase(root);
  if (rpm === undefined) return;
  if (rpm === RPM_VARIABLE) {
    await removeWithin(root, 'usr/lib/sysimage/rpm');
    await moveWithin(root, RPM_VARIABLE, 'usr/lib/sysimage/rpm');
  } else if ((await listWithin(root, RPM_VARIABLE)).length === 0) {
    await removeWithin(root, RPM_VARIABLE);
  }
  await moveUnlessLink(root, DNF_VARIABLE, DNF_DATABASE);
}

/** Gives the tools their databases in a tree that is a root file system again. */
export async function databasesFromUsr(root: string): Promise<void> {
  if ((await directoryWithin(root, DPKG_DATABASE)) !== undefined) {
    await removeWithin(root, DPKG_VARIABLE);
    await moveWithin(root, DPKG_DATABASE, DPKG_VARIABLE);
    for (const path of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial', 'var/cache/debconf'])
      await makeDirectoryWithin(root, path);
  }
  for (const { path, target } of [
    ...(await databaseLinks(root)),
    ...(await linkTo(root, DNF_VARIABLE, DNF_DATABASE)),
  ]) {
    const found = await statWithin(root, path.slice(1));
    if (found === undefined || found.isSymbolicLink()) await linkWithin(root, path.slice(1), target);
  }
  if ((await findRpmDatabase(root)) !== undefined) await makeDirectoryWithin(root, 'var/cache/dnf');
}

/** The links in /var that a tree's databases need. */
export async function databaseLinks(root: string): Promise<DatabaseLink[]> {
  const rpm = await findRpmDatabase(root);
  const dpkg = await linkTo(root, DPKG_VARIABLE, DPKG_DATABASE);
  return rpm === undefined || rpm === RPM_VARIABLE
    ? dpkg
    : [...dpkg, ...(await linkTo(root, RPM_VARIABLE, rpm))];
}

/** A link to a directory, if that exists. */
async function linkTo(root: string, variable: string, database: string): Promise<DatabaseLink[]> {
  if ((await directoryWithin(root, database)) === undefined) return [];
  return [{ path: `/${variable}`, target: relative(dirname(variable), database) }];
}

async function moveUnlessLink(root: string, variable: string, database: string): Promise<void> {
  const found = await statWithin(root, variable);
  if (found?.isSymbolicLink() === true) await removeWithin(root, variable);
  else await moveWithin(root, variable, database);
}
