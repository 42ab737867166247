import type { Dirent } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { directoryWithin, emptyWithin, listWithin, readWithin, removeWithin, statWithin } from './within.ts';

/**
 * What never enters a tree: what belongs to one machine (ids, keys, seeds), to the machine that built it (name,
 * resolver), and what can be made again at any time (lists, archives, logs, caches).
 */

/** Removed where they are; a name that ends with `/` keeps the directory and loses its contents. */
const PATHS: readonly string[] = [
  'etc/hostname',
  'etc/.resolv.conf.systemd-resolved.bak',
  'etc/.pwd.lock',
  'etc/.updated',
  'var/.updated',
  'var/lib/apt/lists/',
  'var/lib/apt/mirrors/',
  'var/cache/apt/',
  'var/cache/dnf/',
  'var/cache/libdnf5/',
  'var/cache/man/',
  'var/cache/ldconfig/',
  'var/cache/debconf/passwords.dat',
  'var/tmp/',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/systemd/timers/',
  'var/lib/urandom/random-seed',
  'var/lib/NetworkManager/secret_key',
  'etc/ssl/private/ssl-cert-snakeoil.key',
  'etc/ssl/certs/ssl-cert-snakeoil.pem',
  'var/lib/dpkg/lock',
  'var/lib/dpkg/lock-frontend',
  'var/lib/dpkg/triggers/Lock',
];

/** Backups that tools keep beside what they change: of the user database (passwd(5)), of dpkg and of debconf. */
const BACKUPS: readonly (readonly [directory: string, names: RegExp])[] = [
  ['etc', /^(?:passwd|group|shadow|gshadow|subuid|subgid)-$/],
  ['etc/ssh', /^ssh_host_.*_key(?:\.pub)?$/],
  ['var/lib/dpkg', /^(?:status|diversions|statoverride|available)-old$/],
  ['var/cache/debconf', /-old$/],
  ['var/backups', /./],
];

/** Cleans a root file system in its normal layout. Returns warnings about secrets that nobody would expect there. */
export async function stripResidue(root: string): Promise<string[]> {
  for (const path of PATHS) {
    if (path.endsWith('/')) await emptyWithin(root, path.slice(0, -1));
    else await removeWithin(root, path);
  }
  for (const [directory, names] of BACKUPS) {
    for (const name of await listWithin(root, directory)) {
      if (names.test(name)) await removeWithin(root, `${directory}/${name}`);
    }
  }
  await stripResolver(root);
  await stripSnakeoilLinks(root);
  await stripLogs(root, 'var/log');
  return [...(await stripKeys(root, 'etc')), ...(await stripKeys(root, 'var'))];
}

/** A symlink to what systemd-resolved maintains is the package's work; a file was copied from the building machine. */
async function stripResolver(root: string): Promise<void> {
  const found = await statWithin(root, 'etc/resolv.conf');
  if (found?.isFile() === true) await removeWithin(root, 'etc/resolv.conf');
}

/** c_rehash(1) makes `HASH.N` links to certificates; one to the removed certificate would dangle. */
async function stripSnakeoilLinks(root: string): Promise<void> {
  const directory = await directoryWithin(root, 'etc/ssl/certs');
  if (directory === undefined) return;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    if ((await readlink(`${directory}/${entry.name}`)) !== 'ssl-cert-snakeoil.pem') continue;
    await removeWithin(root, `etc/ssl/certs/${entry.name}`);
  }
}

/** Logs go, the directories that daemons want to write them to stay. */
async function stripLogs(root: string, path: string): Promise<void> {
  for (const entry of await entriesOf(root, path)) {
    if (entry.isDirectory()) await stripLogs(root, `${path}/${entry.name}`);
    else if (entry.isFile()) await removeWithin(root, `${path}/${entry.name}`);
  }
}

/** The first line of a private key: PKCS#1, PKCS#8 and SEC 1 (RFC 7468), OpenSSH (PROTOCOL.key), OpenPGP (RFC 4880). */
const PRIVATE_KEY = /^\s*-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/;

async function stripKeys(root: string, path: string): Promise<string[]> {
  const warnings: string[] = [];
  for (const entry of await entriesOf(root, path)) {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (below !== 'var/lib/dpkg') warnings.push(...(await stripKeys(root, below)));
    } else if (entry.isFile() && PRIVATE_KEY.test((await readWithin(root, below, 80)) ?? '')) {
      await removeWithin(root, below);
      warnings.push(
        `/${below} is a private key and was left out of the tree; make one in each guest that needs it.`,
      );
    }
  }
  return warnings;
}

async function entriesOf(root: string, path: string): Promise<Dirent[]> {
  const directory = await directoryWithin(root, path);
  return directory === undefined ? [] : readdir(directory, { withFileTypes: true });
}
