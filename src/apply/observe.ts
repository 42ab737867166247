import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseDefinition, type Definition } from '../model/definition.ts';
import { Failure } from '../model/failure.ts';
import { parseGeneration, type Generation } from '../model/generation.ts';
import { isGuestName, type GuestName } from '../model/names.ts';
import { guestPaths, type Paths } from '../model/paths.ts';
import type { GuestState } from '../plan/state.ts';
import { exists, readLinkOptional, readOptional } from '../system/files.ts';
import type { Systemd, UnitState } from '../system/systemd.ts';
import { readEvents } from './events.ts';
import { readQuarantines } from './quarantine.ts';

/** The names of all guests that were made whole. */
export async function listGuests(paths: Paths): Promise<GuestName[]> {
  const directory = join(paths.state, 'guests');
  if (!(await exists(directory))) return [];
  const names: GuestName[] = [];
  for (const entry of (await readdir(directory)).sort()) {
    // A copy that an administrator made, or lost+found, is no guest.
    if (!isGuestName(entry)) continue;
    if ((await readLinkOptional(guestPaths(paths, entry).current)) !== undefined) names.push(entry);
  }
  return names;
}

export async function requireGuest(paths: Paths, name: GuestName): Promise<void> {
  if ((await readLinkOptional(guestPaths(paths, name).current)) !== undefined) return;
  const known = await listGuests(paths);
  throw new Failure('not-found', `there is no guest "${name}"`, {
    guest: name,
    hint:
      known.length === 0
        ? `Make one with: guestree create ${name} --from debian:trixie`
        : `There are: ${known.join(', ')}. Make one with: guestree create ${name} --from debian:trixie`,
  });
}

/**
 * @param damaged what a record that cannot be read does: everything that removes deployments must fail, or it would take
 *   the damaged generation's deployment for one that belongs to nobody; looking and rolling back pass it over
 */
export async function readGenerations(
  directory: string,
  damaged: 'fail' | 'pass-over' = 'fail',
): Promise<Generation[]> {
  if (!(await exists(directory))) return [];
  const found: Generation[] = [];
  for (const entry of await readdir(directory)) {
    if (!/^[1-9][0-9]*$/.test(entry)) continue;
    const path = join(directory, entry, 'generation.json');
    const text = await readOptional(path);
    if (text === undefined) continue;
    try {
      found.push(parseGeneration(text, path));
    } catch (error) {
      if (damaged === 'fail' || !(error instanceof Failure)) throw error;
    }
  }
  return found.sort((a, b) => a.number - b.number);
}

/** The number that `current` points at, or undefined. */
export async function readCurrent(path: string): Promise<number | undefined> {
  const target = await readLinkOptional(path);
  const number = target === undefined ? undefined : Number(basename(target));
  return number !== undefined && Number.isInteger(number) ? number : undefined;
}

/** Several guests at once, with one question to the service manager for all of them. */
export async function observeGuests(
  paths: Paths,
  systemd: Systemd,
  names: readonly GuestName[],
): Promise<GuestState[]> {
  const units = await systemd.states(names);
  return Promise.all(
    names.map(async (name) => {
      const unit = units.get(name) ?? { active: 'unknown', enabled: false };
      return observe(paths, systemd, name, unit);
    }),
  );
}

export async function observeGuest(paths: Paths, systemd: Systemd, name: GuestName): Promise<GuestState> {
  const [state] = await observeGuests(paths, systemd, [name]);
  if (state === undefined) throw new Error('one name gives one state');
  return state;
}

async function observe(
  paths: Paths,
  systemd: Systemd,
  name: GuestName,
  unit: UnitState,
): Promise<GuestState> {
  const places = guestPaths(paths, name);
  const generations = await readGenerations(places.generations, 'pass-over');
  const current = await readCurrent(places.current);
  if (current === undefined) {
    throw new Failure('invalid', 'its current generation is not known', {
      guest: name,
      hint: `The link ${places.current} must point at one of the directories in generations/.`,
    });
  }
  const active = ['active', 'activating', 'reloading', 'deactivating'].includes(unit.active);
  return {
    name,
    definition: await readDefinition(paths, name),
    generations,
    current,
    running: active ? await runningGeneration(systemd, name, generations, current) : undefined,
    active,
    enabled: unit.enabled,
    pinned: await readPins(places.pins),
    events: await readEvents(places.events),
    quarantined: await readQuarantines(places.quarantine),
  };
}

/**
 * The administrator's file; without it the text that the current generation was made with: an ostree host that was
 * rolled back may have an /etc from before the guest was made.
 */
export async function readDefinition(paths: Paths, name: GuestName): Promise<Definition> {
  const places = guestPaths(paths, name);
  const own = await readOptional(places.definition);
  if (own !== undefined) return parseDefinition(name, own);
  const current = await readCurrent(places.current);
  const record = (await readGenerations(places.generations)).find((each) => each.number === current);
  if (record !== undefined) return parseDefinition(name, record.definition);
  throw new Failure('not-found', `there is no definition ${places.definition}`, { guest: name });
}

async function runningGeneration(
  systemd: Systemd,
  name: GuestName,
  generations: readonly Generation[],
  current: number,
): Promise<number> {
  const root = await systemd.rootDirectory(name);
  const id = root === undefined ? undefined : basename(root);
  return generations.find((each) => each.deployment === id)?.number ?? current;
}

async function readPins(directory: string): Promise<Set<number>> {
  if (!(await exists(directory))) return new Set();
  return new Set((await readdir(directory)).map(Number).filter((each) => Number.isInteger(each)));
}
