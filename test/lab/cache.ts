import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { command } from './command.ts';
import { hold } from './lock.ts';

/** How many builds of one kind are kept: the one in use and the one of the branch before it. */
const kept = 2;

/** Root of everything that the lab keeps between runs. It must not be on an overlay: guests put overlays on it. */
export function cacheDirectory(): string {
  const chosen = process.env['GUESTREE_TEST_CACHE'];
  if (chosen !== undefined && chosen !== '') return path.resolve(chosen);
  const base = process.env['XDG_CACHE_HOME'];
  const parent = base === undefined || base === '' ? path.join(homedir(), '.cache') : base;
  return path.join(parent, 'guestree-test');
}

/** A key that changes with anything that the build depends on: values, and the content of files. */
export async function keyOf(values: readonly string[], files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const value of [process.arch, ...values]) hash.update(`${value}\0`);
  for (const file of files) hash.update(await readFile(file)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/**
 * The directory of a build, built by `build` if it is not there yet.
 *
 * Builds of one kind are made one at a time over all processes, and appear by one rename, so that nobody sees half of one.
 */
export async function cached(
  kind: string,
  key: string,
  build: (directory: string) => Promise<void>,
): Promise<string> {
  const home = path.join(cacheDirectory(), kind);
  const wanted = path.join(home, key);
  if (await touched(wanted)) return wanted;
  await mkdir(home, { recursive: true });
  const lock = await hold(path.join(home, '.lock'));
  try {
    if (await touched(wanted)) return wanted;
    const fresh = path.join(home, '.new');
    await removeTree(fresh);
    await mkdir(fresh);
    await build(fresh);
    await rename(fresh, wanted);
    await collect(home);
    return wanted;
  } finally {
    await lock.release();
  }
}

/**
 * Commands that remove a tree which may hold OSTree deployments: their top directories are immutable (ext4's `i` flag),
 * those of the host as well as those of guests below it.
 */
export function removal(directory: string): [string[], string[]] {
  const deployments = ['-type', 'd', '-path', '*/ostree/deploy/*/deploy/*.[0-9]*', '-prune'];
  const objects = ['-type', 'd', '-name', 'objects', '-prune'];
  return [
    ['find', directory, '-xdev', ...objects, '-o', ...deployments, '-exec', 'chattr', '-i', '{}', '+'],
    ['rm', '-rf', '--one-file-system', directory],
  ];
}

export async function removeTree(directory: string): Promise<void> {
  const [release, remove] = removal(directory);
  await command(release, { check: false });
  await command(remove);
}

/** Marks a build as used now; false if it does not exist. */
async function touched(directory: string): Promise<boolean> {
  const now = new Date();
  return utimes(directory, now, now).then(
    () => true,
    () => false,
  );
}

async function collect(home: string): Promise<void> {
  const names = (await readdir(home)).filter((name) => !name.startsWith('.'));
  const aged = await Promise.all(
    names.map(async (name) => ({ name, used: (await stat(path.join(home, name))).mtimeMs })),
  );
  const old = aged.sort((a, b) => b.used - a.used).slice(kept);
  for (const { name } of old) await removeTree(path.join(home, name));
}

/** Removes everything that the lab keeps between runs; for `cli.ts clean`. */
export async function clearCache(): Promise<void> {
  await removeTree(cacheDirectory());
}
