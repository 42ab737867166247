import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from './files.ts';

/**
 * All refs of a repository with their commits, read from its files: one file a ref, with the checksum in it
 * (ostree-repo-refs.c; refs/heads/NAME, refs/mirrors/COLLECTION/NAME, refs/remotes/REMOTE/NAME). Two `ostree` calls for
 * the same would be the greater part of what the guard costs.
 */
export async function readRefs(repo: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const [kind, name] of [
    ['heads', (path: string): string => path],
    ['mirrors', (path: string): string => `mirror ${path}`],
    ['remotes', (path: string): string => path.replace('/', ':')],
  ] as const) {
    for (const path of await files(`${repo}/refs/${kind}`, '')) {
      refs.set(name(path), (await readFile(`${repo}/refs/${kind}/${path}`, 'utf8')).trim());
    }
  }
  return refs;
}

async function files(root: string, below: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for (const entry of await readdir(`${root}/${below}`, { withFileTypes: true })) {
      const path = `${below}${entry.name}`;
      // A ref can be a symlink to another one (an alias).
      if (entry.isDirectory()) found.push(...(await files(root, `${path}/`)));
      else found.push(path);
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  return found.sort();
}
