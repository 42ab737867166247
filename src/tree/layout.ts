import { readdir, readlink } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { databasesFromUsr, databasesIntoUsr } from './databases.ts';
import { surveyVariable } from './factory.ts';
import { addHostKeyUnit } from './hostkeys.ts';
import { stripResidue } from './residue.ts';
import { VARIABLE_CONF } from './variable.ts';
import {
  freshDirectoryWithin,
  linkWithin,
  listWithin,
  makeDirectoryWithin,
  moveWithin,
  replaceWithin,
  statWithin,
} from './within.ts';

/**
 * A root file system in its normal layout ⇄ a tree in OSTree's layout
 * (https://ostreedev.github.io/ostree/adapting-existing/). Both directions work by renames, so they can be used on a
 * hardlink checkout of the pool.
 */

/** Top-level directories whose content belongs to the guest, and where it lies below var (rpm-ostree uses the same names). */
const INTO_VAR: readonly (readonly [path: string, below: string, target: string])[] = [
  ['home', 'var/home', 'var/home'],
  ['root', 'var/roothome', 'var/roothome'],
  ['srv', 'var/srv', 'var/srv'],
  ['mnt', 'var/mnt', 'var/mnt'],
  ['usr/local', 'var/usrlocal', '../var/usrlocal'],
];

/** Filled when the guest runs; empty in a tree. */
const EMPTY: readonly string[] = ['boot', 'sysroot', 'run', 'tmp', 'dev', 'proc', 'sys'];

/** Counts changes of what toTree() makes of the same content. */
export const LAYOUT_VERSION = 1;

const FACTORY = 'usr/share/factory/var';

/** Whether a directory has the layout already: `usr/etc` and no `etc` (ostree refuses to deploy both). */
async function isTreeLayout(root: string): Promise<boolean> {
  return (
    (await statWithin(root, 'usr/etc'))?.isDirectory() === true &&
    (await statWithin(root, 'etc')) === undefined
  );
}

/**
 * Turns a root file system into a tree, in place. One that is a tree already gets only the stub kernel.
 * @returns what the user should know
 * @throws Failure `unsupported` where /bin, /sbin and /lib are not merged into /usr
 */
export async function toTree(root: string): Promise<string[]> {
  if (await isTreeLayout(root)) {
    await addStubKernel(root);
    return [];
  }
  await requireMergedUsr(root);
  const warnings = await stripResidue(root);
  for (const [path, below, target] of INTO_VAR) {
    const found = await statWithin(root, path);
    if (found?.isSymbolicLink() === true) continue;
    if (found?.isDirectory() === true) await moveWithin(root, path, below);
    else
      await freshDirectoryWithin(root, below, {
        mode: below === 'var/roothome' ? 0o700 : 0o755,
        uid: 0,
        gid: 0,
      });
    await linkWithin(root, path, target);
  }
  await linkWithin(root, 'media', 'run/media');
  await databasesIntoUsr(root);

  const survey = await surveyVariable(root);
  await replaceWithin(root, VARIABLE_CONF, survey.conf);
  await moveWithin(root, 'var', FACTORY);
  await freshDirectoryWithin(root, 'var', { mode: 0o755, uid: 0, gid: 0 });

  await replaceWithin(root, 'etc/machine-id', '', { attributes: { mode: 0o444, uid: 0, gid: 0 } });
  await moveWithin(root, 'etc', 'usr/etc');
  for (const path of EMPTY) {
    await freshDirectoryWithin(root, path, { mode: path === 'tmp' ? 0o1777 : 0o755, uid: 0, gid: 0 });
  }
  await linkWithin(root, 'ostree', 'sysroot/ostree');
  await addHostKeyUnit(root);
  await addStubKernel(root);
  return [...warnings, ...survey.warnings];
}

/** Turns a checked-out tree back into a root file system in which a package manager can work, in place. */
export async function fromTree(root: string): Promise<void> {
  await moveWithin(root, 'usr/etc', 'etc');
  await moveWithin(root, FACTORY, 'var');
  await makeDirectoryWithin(root, 'var/lib');
  await databasesFromUsr(root);
  // Links into /var stay: dpkg keeps a symlink to a directory where a package has a directory. They must not dangle.
  for (const path of ['home', 'root', 'srv', 'mnt', 'opt', 'usr/local']) {
    const found = await statWithin(root, path);
    if (found?.isSymbolicLink() !== true) continue;
    const below = /^(?:\/|(?:\.\.\/)*)(var\/[A-Za-z0-9/_-]+)$/.exec(await readlink(`${root}/${path}`))?.[1];
    if (below !== undefined) await makeDirectoryWithin(root, below);
  }
  // /run is a tmpfs while packages are installed, so this link would dangle.
  if ((await statWithin(root, 'media'))?.isSymbolicLink() === true) {
    await freshDirectoryWithin(root, 'media', { mode: 0o755, uid: 0, gid: 0 });
  }
  await makeDirectoryWithin(root, 'var/log');
  await freshDirectoryWithin(root, 'var/tmp', { mode: 0o1777, uid: 0, gid: 0 });
}

/** A guest has no kernel, and `ostree admin deploy` wants one (ostree-sysroot-deploy.c, get_kernel_from_tree()). */
async function addStubKernel(root: string): Promise<boolean> {
  for (const version of await listWithin(root, 'usr/lib/modules')) {
    if ((await statWithin(root, `usr/lib/modules/${version}/vmlinuz`)) !== undefined) return false;
  }
  await replaceWithin(root, 'usr/lib/modules/0-guest/vmlinuz', 'This guest has no kernel of its own.\n');
  return true;
}

/** https://wiki.debian.org/UsrMerge: an OSTree deployment has only usr, so nothing may lie in /bin, /sbin or /lib. */
async function requireMergedUsr(root: string): Promise<void> {
  for (const name of (await readdir(root)).filter((entry) =>
    /^(?:bin|sbin|lib(?:32|64|x32|o32)?)$/.test(entry),
  )) {
    const found = await statWithin(root, name);
    if (found?.isSymbolicLink() === true && /^\/?usr\//.test(await readlink(`${root}/${name}`))) continue;
    throw new Failure(
      'unsupported',
      `/${name} of the tree is not a symlink to usr/${name}: it is not usr-merged`,
      {
        hint: 'Install the package usrmerge in it (Debian 11, Ubuntu 20.04 or newer), or choose a newer release.',
      },
    );
  }
}
