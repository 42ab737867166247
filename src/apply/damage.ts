import { copyFile, readdir } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { parseGeneration } from '../model/generation.ts';
import type { GuestName } from '../model/names.ts';
import { guestPaths, type Paths } from '../model/paths.ts';
import { exists, readOptional, writeFileAtomic } from '../system/files.ts';
import { unreadableEvents } from './events.ts';

/** What is wrong with the files of a guest, in whole sentences: looking at a guest passes such files over. */
export async function findDamage(paths: Paths, name: GuestName): Promise<string[]> {
  const places = guestPaths(paths, name);
  const found: string[] = [];
  for (const entry of (await exists(places.generations)) ? await readdir(places.generations) : []) {
    if (!/^[1-9][0-9]*$/.test(entry)) continue;
    const path = `${places.generations}/${entry}/generation.json`;
    const text = await readOptional(path);
    // Without a record there is no generation: it was never made whole.
    if (text === undefined) continue;
    try {
      parseGeneration(text, path);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      found.push(
        `${name}: ${error.message}. Nothing of generation ${entry} is removed; its deployment and tree are still there.`,
      );
    }
  }
  const lost = unreadableEvents((await readOptional(places.events)) ?? '');
  if (lost > 0) {
    found.push(
      `${name}: ${places.events} is damaged: ${lost} ${lost === 1 ? 'line tells' : 'lines tell'} of a switch, and cannot be read. Put aside by: guestree recover`,
    );
  }
  return found;
}

/** Keeps a damaged event log under another name, and goes on with the lines that can be read. The guest's lock is held. */
export async function mendEvents(paths: Paths, name: GuestName): Promise<string | undefined> {
  const { events } = guestPaths(paths, name);
  const text = (await readOptional(events)) ?? '';
  if (unreadableEvents(text) === 0) return undefined;
  const aside = `${events}.damaged`;
  await copyFile(events, aside);
  const readable = text.split('\n').filter((line) => line.trim() !== '' && unreadableEvents(line) === 0);
  await writeFileAtomic(events, readable.map((line) => `${line}\n`).join(''), 0o600);
  return `${name}: the event log was damaged; it is kept as ${aside}, and ${readable.length} of its lines are in use`;
}
