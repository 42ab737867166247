import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { Runner } from '../system/run.ts';
import { statWithin } from '../tree/within.ts';
import type { BuildRoot } from './buildroot.ts';

/** Files of a build's scratch directory that are shown to the build. */

/**
 * resolv.conf, for downloads, and hosts, for package scripts: they ask for the full name of their machine, and without
 * an answer they wait for name servers.
 */
export async function writeNameFiles(scratch: string, hostname: string): Promise<void> {
  await writeFile(`${scratch}/resolv.conf`, await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
  await writeFile(`${scratch}/hosts`, renderHosts(hostname));
}

/** As Debian's installer writes it (https://www.debian.org/doc/manuals/debian-reference/ch05, "The hostname resolution"). */
function renderHosts(hostname: string): string {
  return `127.0.0.1 localhost\n127.0.1.1 ${hostname}.localdomain ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`;
}

/**
 * Copies a directory of an etc directory into the scratch directory, if there is one. A copy, not a bind mount: the
 * directory belongs to the guest's root user, and a symlink in its place would show a directory of the host to the
 * guest's package scripts.
 * @param name path below `etc`; the copy lies at the same path below the scratch directory, or at `as`
 */
export async function copyConfiguration(
  runner: Runner,
  root: BuildRoot,
  etc: string | undefined,
  name: string,
  as = name,
): Promise<string | undefined> {
  if (etc === undefined) return undefined;
  const copy = `${root.scratch}/${as}`;
  const parent = dirname(name);
  // The kernel would follow a symlink in the middle of the path; statWithin() sees nothing behind one.
  const above = parent === '.' ? undefined : await statWithin(etc, parent);
  if (parent !== '.' && above?.isDirectory() !== true) return undefined;
  if ((await statWithin(etc, name)) === undefined) return undefined;
  await mkdir(dirname(copy), { recursive: true });
  await runner.run('cp', ['--archive', '--no-target-directory', '--', `${etc}/${name}`, copy]);
  if ((await lstat(copy)).isDirectory()) return copy;
  throw new Failure('invalid', `etc/${name} of the guest is not a directory`, {
    hint: `Make /etc/${name} a directory in the guest, then run the same command again.`,
  });
}
