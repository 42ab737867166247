import { readFile, writeFile } from 'node:fs/promises';

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
