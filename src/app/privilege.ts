import { existsSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure } from '../model/failure.ts';
import { isErrno } from '../system/files.ts';
import type { Runner } from '../system/run.ts';

export function requireRoot(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure('not-root', `"guestree ${command}" must be run as root`, {
    hint: `Try: sudo guestree ${command}`,
  });
}

/** Programs that every changing command calls; a missing one is said before anything begins. */
export function requirePrograms(programs: readonly string[]): void {
  const directories = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'.split(':');
  for (const program of programs) {
    const found = directories.some((directory) => existsSync(`${directory}/${program}`));
    if (found) continue;
    throw new Failure('missing-program', `the program "${program}" is not installed`, {
      hint: `Install it with the distribution's package manager, for example on Debian: apt-get install ${DEBIAN[program] ?? program}`,
    });
  }
}

const DEBIAN: Readonly<Record<string, string>> = {
  'systemd-nspawn': 'systemd-container',
  machinectl: 'systemd-container',
  systemctl: 'systemd',
  unshare: 'util-linux',
  flock: 'util-linux',
  setpriv: 'util-linux',
};

const MARK = 'GUESTREE_NAMESPACE';

/**
 * Runs this program again in a mount namespace of its own, so that whatever it mounts is gone when it ends, however
 * it ends, and so that a read-only /sysroot can be made writable for it alone, as ostree itself does
 * (ostree_sysroot_set_mount_namespace_in_use()). Mounts of the host still arrive (slave propagation).
 * Gives the exit code of that run, or undefined if this already is it.
 */
export async function enterNamespace(
  runner: Runner,
  state: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number | undefined> {
  if (environment[MARK] !== undefined) {
    await makeWritable(runner, state);
    return undefined;
  }
  const { execa } = await import('execa');
  const result = await execa(
    'unshare',
    ['--mount', '--propagation', 'slave', '--', process.execPath, ...process.argv.slice(1)],
    { stdio: 'inherit', reject: false, env: { [MARK]: 'own' }, forceKillAfterDelay: false, cleanup: false },
  );
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.code === 'ENOENT') {
    throw new Failure('missing-program', 'the program "unshare" is not installed', {
      hint: 'Install it, for example with: apt-get install util-linux',
    });
  }
  // Ended by a signal: end in the same way, so that the caller sees what happened.
  if (result.signal !== undefined) process.kill(process.pid, result.signal);
  return 1;
}

async function makeWritable(runner: Runner, state: string): Promise<void> {
  let directory = state;
  while (!existsSync(directory)) directory = dirname(directory);
  try {
    await access(directory, constants.W_OK);
    return;
  } catch (error) {
    if (!isErrno(error, 'EROFS')) throw error;
  }
  const mount = directory.startsWith('/sysroot') ? '/sysroot' : undefined;
  if (mount === undefined) {
    throw new Failure('storage', `${state} is on a read-only file system`, {
      hint: 'Choose a writable state directory with GUESTREE_STATE=DIR.',
    });
  }
  await runner.run('mount', ['-o', 'remount,bind,rw', mount]);
}
