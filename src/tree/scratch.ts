import { createHash } from 'node:crypto';
import { readFile, realpath, rmdir } from 'node:fs/promises';
import { exists, isErrno } from '../system/files.ts';
import type { Runner } from '../system/run.ts';

const RUNTIME = '/run/systemd/nspawn';

/**
 * The name of the machine that builds in a scratch directory. Of one directory always the same, so that what a killed
 * systemd-nspawn left under this name is found.
 */
export function machineName(scratch: string): string {
  return `guestree-build-${createHash('sha256').update(scratch).digest('hex').slice(0, 12)}`;
}

/** Unmounts and removes what a build left in its scratch directory. Nothing to do is fine. */
export async function cleanScratch(runner: Runner, scratch: string): Promise<void> {
  if (!(await exists(scratch))) return;
  await unmountBelow(runner, scratch);
  await removeMachineDirectories(scratch);
  await runner.run('rm', ['--recursive', '--force', '--one-file-system', '--', scratch]);
}

/**
 * Last mounted, first unmounted; lazily where a killed build still has a process in it. systemd-nspawn since 253 also
 * mounts a directory for sockets on the host and refuses to start while an old one is there
 * (setup_unix_export_dir_outside() in src/nspawn/nspawn.c).
 */
export async function unmountBelow(runner: Runner, scratch: string): Promise<void> {
  const directory = await realpath(scratch);
  const sockets = `${RUNTIME}/unix-export/${machineName(scratch)}`;
  for (const mounted of parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8')).reverse()) {
    if (!mounted.startsWith(`${directory}/`) && mounted !== sockets) continue;
    const tried = await runner.run('umount', ['--', mounted], { allow: 'any' });
    if (tried.exitCode !== 0) await runner.run('umount', ['--lazy', '--', mounted]);
  }
}

/** What systemd-nspawn makes for each machine and removes when it ends by itself (src/nspawn/nspawn.c); empty by now. */
async function removeMachineDirectories(scratch: string): Promise<void> {
  for (const kind of ['unix-export', 'propagate']) {
    try {
      await rmdir(`${RUNTIME}/${kind}/${machineName(scratch)}`);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].some((code) => isErrno(error, code))) throw error;
    }
  }
}

/** Mount points of /proc/PID/mountinfo, proc_pid_mountinfo(5): the fifth field, with octal escapes. */
export function parseMountPoints(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    if (point === undefined) return [];
    return [point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))];
  });
}
