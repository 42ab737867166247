import { constants } from 'node:fs';
import { copyFile, open, readdir, rename, rm } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { quoted, type GuestName } from '../model/names.ts';
import { rpmFileName } from '../model/overrides.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories, storageFailure, syncDirectory } from '../system/files.ts';
import { checksumOf } from '../tree/rpmfile.ts';
import { placesOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { readGenerations } from './observe.ts';

/** Package files that replace packages of a guest's base: copies, because every upgrade needs them again. */
export const keepRpms: Executor<StepArguments['keep-rpms']> = {
  async apply({ guest, files }, effects) {
    const directory = placesOf(effects, guest).rpms;
    await makeDirectories(directory, 0o755);
    for (const file of files) {
      const target = `${directory}/${rpmFileName(file)}`;
      if (!(await exists(target))) await keep(file.path, target, file.sha256);
    }
    await syncDirectory(directory);
    return undefined;
  },
  async undo({ guest }, effects) {
    await removeUnusedRpms(effects, guest);
  },
};

/** Deletes the package files that no generation needs. */
export async function removeUnusedRpms(effects: Effects, guest: GuestName): Promise<void> {
  const { rpms, generations } = placesOf(effects, guest);
  if (!(await exists(rpms))) return;
  const records = await readGenerations(generations);
  const needed = new Set(records.flatMap(({ overrides }) => overrides.replaced.map(rpmFileName)));
  for (const name of await readdir(rpms)) if (!needed.has(name)) await rm(`${rpms}/${name}`, { force: true });
}

async function keep(path: string, target: string, sha256: string): Promise<void> {
  const temporary = `${target}.new`;
  try {
    await copyFile(path, temporary, constants.COPYFILE_FICLONE);
    const file = await open(temporary, 'r+');
    try {
      await file.chmod(0o644);
      if ((await checksumOf(file)) !== sha256) {
        throw new Failure('conflict', `${quoted(path)} was changed while it was copied`, {
          hint: 'Run the same command again.',
        });
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw storageFailure(error, target);
  }
}
