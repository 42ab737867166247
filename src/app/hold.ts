import type { GuestName } from '../model/names.ts';
import { holdPaths, type Paths } from '../model/paths.ts';
import { readOptional } from '../system/files.ts';

/** Somebody does not want a guest to be upgraded by itself for now. */
export interface Hold {
  path: string;
  /** The first line of the file, for people. */
  reason: string;
}

/** The hold on unattended upgrades of a guest; one of its own goes before one of all guests. */
export async function findHold(paths: Paths, name: GuestName): Promise<Hold | undefined> {
  for (const path of holdPaths(paths, name)) {
    const text = await readOptional(path);
    if (text !== undefined) return { path, reason: reasonOf(text) };
  }
  return undefined;
}

export function tellHold({ path, reason }: Hold): string {
  return `${reason} (${path})`;
}

function reasonOf(text: string): string {
  const line = (text.split('\n', 1)[0] ?? '').replace(/[\p{Cc}\p{Cf}]/gu, ' ').trim();
  return line === '' ? 'no reason is given' : line.slice(0, 200);
}
