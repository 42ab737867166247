import { listWithin, removeWithin, statWithin } from '../tree/within.ts';

/**
 * Runs `use` and removes what systemd-nspawn made in the tree to mount something on it: an empty etc/hosts, the
 * directories that lead to a local archive.
 */
export async function withMountPoints<T>(
  root: string,
  archives: readonly string[],
  use: () => Promise<T>,
): Promise<T> {
  const missing: string[] = [];
  for (const path of ['/etc/hosts', ...archives]) {
    const parts = path.slice(1).split('/');
    const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    for (const prefix of prefixes) {
      if ((await statWithin(root, prefix)) !== undefined) continue;
      missing.push(prefix);
      break;
    }
  }
  const result = await use();
  for (const path of missing) await removeIfEmpty(root, path);
  return result;
}

async function removeIfEmpty(root: string, path: string): Promise<void> {
  for (const name of await listWithin(root, path)) await removeIfEmpty(root, `${path}/${name}`);
  const found = await statWithin(root, path);
  const empty =
    found?.isDirectory() === true ? (await listWithin(root, path)).length === 0 : found?.size === 0;
  if (empty) await removeWithin(root, path);
}
