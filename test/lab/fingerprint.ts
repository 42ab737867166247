import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Visit } from './files.ts';

/** Everything of a host that guestree promises not to touch, as plain data for `expect(after).toEqual(before)`. */
export interface HostFingerprint {
  /** Boot loader entries: file name to content. */
  bootEntries: Record<string, string>;
  /** /run/ostree/staged-deployment in base64, or null. */
  staged: string | null;
  /** Refs of /ostree/repo: name to checksum. */
  refs: Record<string, string>;
  /** STATEROOT/CHECKSUM.SERIAL of every deployment directory. */
  deployments: string[];
}

/** Reads the sysroot from the machine's side, so that no program under test is between; a plain host has an empty one. */
export async function fingerprint(sysroot: string | undefined, visit: Visit): Promise<HostFingerprint> {
  if (sysroot === undefined) return { bootEntries: {}, staged: null, refs: {}, deployments: [] };
  const staged = await visit(['base64', '--wrap=0', '/run/ostree/staged-deployment'], { check: false });
  return {
    bootEntries: await contents(path.join(sysroot, 'boot/loader/entries')),
    staged: staged.exitCode === 0 ? staged.stdout : null,
    refs: await contents(path.join(sysroot, 'ostree/repo/refs')),
    deployments: await deployments(path.join(sysroot, 'ostree/deploy')),
  };
}

async function contents(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
    // ostree keeps each ref of its deployments as a file, and an alias may be a link.
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(path.join(directory, name), 'utf8')] as const),
  );
  return Object.fromEntries(texts);
}

async function deployments(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const os of await readdir(directory)) {
    const entries = await readdir(path.join(directory, os, 'deploy'), { withFileTypes: true }).catch(
      () => [],
    );
    found.push(...entries.filter((entry) => entry.isDirectory()).map((entry) => `${os}/${entry.name}`));
  }
  return found.sort();
}
