import { constants } from 'node:fs';
import { copyFile, lstat, readFile, realpath, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { HOST_PLACES } from '../guard/host.ts';
import { Failure } from '../model/failure.ts';
import type { Commit, GuestName } from '../model/names.ts';
import { adoptedRef, baseRef, HOST_REPO, treeRef } from '../model/paths.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories, readOptional, writeFileAtomic } from '../system/files.ts';
import { deploymentId } from '../system/ostree.ts';
import { overlayEtc, parseMachineId, readMachineId } from '../tree/etc.ts';
import { parseMountPoints } from '../tree/scratch.ts';
import { directoryWithin, makeDirectoryWithin, replaceWithin, statWithin } from '../tree/within.ts';
import { unrecorded } from './deployment.ts';
import { placesOf, sharingPool, sysrootOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';

/** Steps that take a guest over from a stateroot of the host's own sysroot, in which they write nothing. */

export const adoptTree: Executor<StepArguments['adopt-tree']> = {
  async apply({ guest, generation, commit, base, kept }, effects) {
    const { pool, layering } = effects;
    const { scratch, ids } = placesOf(effects, guest);
    const warning = (text: string): void => effects.progress.warning(text);
    const take = async (ref: string, from: Commit): Promise<void> => {
      await pool.pullLocal(HOST_REPO, from);
      // Named at once: what no ref reaches is deleted by the next prune.
      await pool.setRef(ref, from);
      const label = `the tree ${from.slice(0, 12)}`;
      await pool.setRef(ref, await layering.adopt({ commit: from, label, scratch, warning }));
    };
    const [lower, upper] = [baseRef(guest, generation), treeRef(guest, generation)];
    await sharingPool(effects, async () => {
      await take(lower, base);
      if (commit === base) await pool.setRef(upper, await pool.require(lower));
      else await take(upper, commit);
    });
    if (kept) await pool.setRef(adoptedRef(guest), await pool.require(lower));
    await layering.registerIds(ids, await pool.require(upper));
    return undefined;
  },
  async undo({ guest, generation }, effects) {
    await effects.layering.clean(placesOf(effects, guest).scratch);
    if (!(await exists(effects.pool.path))) return;
    for (const ref of [adoptedRef(guest), treeRef(guest, generation), baseRef(guest, generation)])
      await effects.pool.deleteRef(ref);
  },
};

export const adoptData: Executor<StepArguments['adopt-data']> = {
  async apply({ guest, stateroot, deployments }, effects) {
    const { scratch, root } = placesOf(effects, guest);
    const sysroot = sysrootOf(effects, guest);
    const fresh = sysroot.directory(guest, deploymentId(await unrecorded(effects, guest)));
    const below = `ostree/deploy/${stateroot}`;
    await effects.layering.clean(scratch);
    try {
      const variable = await lookAt(effects, `${below}/var`, `${scratch}/var`);
      if (variable !== undefined) {
        await warnIfShifted(effects, variable, '/var');
        await copyVariable(effects, variable, sysroot.variable(guest), stateroot, scratch);
      }
      for (const deployment of deployments) {
        const old = await lookAt(effects, `${below}/deploy/${deployment}`, `${scratch}/${deployment}`);
        if (old === undefined) {
          throw new Failure('not-found', `the deployment ${deployment} of "${stateroot}" is gone`, {
            guest,
            hint: `See what is there with: ls ${HOST_PLACES.sysroot}/${below}/deploy`,
          });
        }
        if (!(await overlayEtc(effects.runner, old, fresh))) {
          effects.progress.warning(`the deployment ${deployment} has no /etc: that of its tree is used`);
          continue;
        }
        await warnIfShifted(effects, `${old}/etc`, '/etc');
        await adoptMachineId(effects, guest, old, fresh);
      }
      // The swap makes the guest whole: by then its data has to be on the disk, which cp does not see to.
      await effects.runner.run('sync', ['--file-system', root]);
    } finally {
      await effects.layering.clean(scratch);
    }
    return undefined;
  },
  /** What was copied goes with the guest's sysroot. */
  async undo({ guest }, effects) {
    await effects.layering.clean(placesOf(effects, guest).scratch);
  },
};

/**
 * A directory of the host's sysroot, seen through a read-only bind mount in this program's own mount namespace: nothing
 * can be written to it, not even the time of access, and what is mounted below it is not seen. Undefined if there is no
 * such directory; symlinks on the way are not followed.
 */
async function lookAt(effects: Effects, path: string, view: string): Promise<string | undefined> {
  const source = await directoryWithin(HOST_PLACES.sysroot, path);
  if (source === undefined) return undefined;
  await makeDirectories(view, 0o700);
  await effects.runner.run('mount', ['--bind', '-o', 'ro', source, view]);
  const real = await realpath(source);
  for (const mounted of parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8'))) {
    if (mounted.startsWith(`${real}/`))
      effects.progress.warning(`${mounted} is a mount: what is in it was not copied`);
  }
  return view;
}

/** systemd-nspawn can give a directory to a range of ids that its user namespace had. */
async function warnIfShifted(effects: Effects, directory: string, name: string): Promise<void> {
  const { uid } = await lstat(directory);
  if (uid === 0) return;
  effects.progress.warning(
    `${name} belongs to user ${uid} and not to root: the ids of a user namespace in it are kept as they are`,
  );
}

async function copyVariable(
  effects: Effects,
  source: string,
  target: string,
  stateroot: string,
  scratch: string,
): Promise<void> {
  const { runner } = effects;
  const { stdout } = await runner.run('du', ['--summarize', '--one-file-system', '--block-size=1', source]);
  const needed = Number.parseInt(stdout, 10);
  const { bavail, bsize } = await statfs(scratch);
  const free = bavail * bsize;
  if (needed > free && !(await canClone(source, scratch))) throw tooLarge(stateroot, needed, free, target);
  await rm(target, { recursive: true, force: true });
  await runner.run('cp', [
    ...['--archive', '--reflink=auto', '--one-file-system', '--no-target-directory', '--'],
    ...[source, target],
  ]);
  // As in every guest: journald keeps a journal over boots where this directory exists. /var/log may be a symlink to
  // anywhere, and is the old guest's own then.
  const log = await statWithin(target, 'log');
  if (log?.isDirectory() !== false && (await statWithin(target, 'log/journal')) === undefined)
    await makeDirectoryWithin(target, 'log/journal');
}

/** What to say where /var does not fit. Sizes are in bytes. */
function tooLarge(stateroot: string, needed: number, free: number, target: string): Failure {
  const size = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return new Failure(
    'storage',
    `/var of "${stateroot}" takes ${size(needed)}, and there is space for ${size(free)} on the device that holds ${target}`,
    { hint: 'Make space (guestree cleanup, df -h), then run the same command again.' },
  );
}

/** Whether files are copied by sharing their blocks (ioctl_ficlone(2)), which needs no space. */
async function canClone(source: string, scratch: string): Promise<boolean> {
  if ((await stat(source)).dev !== (await stat(scratch)).dev) return false;
  await writeFile(`${scratch}/probe`, 'probe');
  try {
    await copyFile(`${scratch}/probe`, `${scratch}/clone`, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  }
}

/** The id that the guest had goes on being its id, unless it is the host's own: then it was never the guest's. */
async function adoptMachineId(effects: Effects, guest: GuestName, old: string, fresh: string): Promise<void> {
  const id = await readMachineId(old);
  if (id === undefined) return;
  if (id === parseMachineId((await readOptional('/etc/machine-id')) ?? '')) {
    effects.progress.warning('its machine id is that of the host: the guest gets one of its own');
    return;
  }
  await writeFileAtomic(placesOf(effects, guest).machineId, `${id}\n`);
  const attributes = { mode: 0o444, uid: 0, gid: 0 };
  await replaceWithin(fresh, 'etc/machine-id', `${id}\n`, { attributes, sync: true });
}
