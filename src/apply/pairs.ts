import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { firstChoice, PAIRS, type Pair } from '../model/pair.ts';
import { guestPaths, pairsPath } from '../model/paths.ts';
import { exists, readLinkOptional, replaceSymlink } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import type { Effects } from './effects.ts';

/** The block of addresses that a guest's held ports have, or undefined. A guest keeps it for its life. */
export async function readPair({ paths }: Effects, guest: GuestName): Promise<Pair | undefined> {
  const directory = pairsPath(paths);
  if (!(await exists(directory))) return undefined;
  for (const entry of await readdir(directory)) {
    if (!/^(?:0|[1-9][0-9]{0,3})$/.test(entry)) continue;
    if ((await readLinkOptional(join(directory, entry))) === guest) return { number: Number(entry) };
  }
  return undefined;
}

/** The guest's block of addresses; a free one becomes its own if it has none. */
export async function claimPair(effects: Effects, guest: GuestName): Promise<Pair> {
  const own = await readPair(effects, guest);
  if (own !== undefined) return own;
  const release = await acquireLock(`${effects.paths.locks}/.pairs`, 'the addresses of held ports', true);
  try {
    const first = firstChoice(guest);
    for (let offset = 0; offset < PAIRS; offset++) {
      const number = (first + offset) % PAIRS;
      const path = join(pairsPath(effects.paths), String(number));
      const owner = await readLinkOptional(path);
      // A guest whose making was cut off may have left its claim.
      if (owner !== undefined && (await exists(guestPaths(effects.paths, owner as GuestName).root))) continue;
      await replaceSymlink(guest, path);
      return { number };
    }
  } finally {
    await release();
  }
  throw new Failure('failed', `${PAIRS} guests of this host have held ports, which is the most`, {
    guest,
    hint: 'Remove a guest, or Listen= from the definition of this one.',
  });
}

export async function releasePair(effects: Effects, guest: GuestName): Promise<void> {
  const pair = await readPair(effects, guest);
  if (pair !== undefined) await rm(join(pairsPath(effects.paths), String(pair.number)), { force: true });
}
