import type { Random } from '../../unit/formats/random.ts';
import {
  currentOf,
  generationOf,
  newestOf,
  numbersOf,
  pendingOf,
  type Facts,
  type GuestFacts,
} from './facts.ts';
import type { Supply } from './supply.ts';

/** Something that guestree is asked to do, and what the host may and must look like then. */
export interface Operation {
  name: string;
  /** Undefined for all guests. */
  guest: string | undefined;
  args: readonly string[];
  /** Exit codes of a second try, after the first was cut off and then undone or finished. */
  codes: readonly number[];
  /** Generations that may be current afterwards beside the one that was before; `new` for one that did not exist. */
  targets: readonly (number | 'new')[];
  /** Whether the guest may have been stopped by it. */
  mayStop: boolean;
  /** What is wrong with the guest when the operation has succeeded. */
  unfinished(before: GuestFacts | undefined, after: GuestFacts | undefined): string[];
}

const MAIN = 'box';
const SPARE = 'two';

/** Chooses an operation that makes sense now, and publishes something new where it is to have an effect. */
export async function chooseOperation(facts: Facts, supply: Supply, random: Random): Promise<Operation> {
  const spare = facts.guests[SPARE];
  const name = spare !== undefined && random.below(10) < 4 ? SPARE : MAIN;
  const guest = facts.guests[name];
  if (guest === undefined) throw new Error(`the guest ${name} is not there`);
  const layered = newestOf(guest)?.requested.includes('marker') === true;
  const numbers = numbersOf(guest);
  const up = guest.running !== null;
  const choices: [weight: number, make: () => Operation | Promise<Operation>][] = [
    [spare === undefined ? 4 : 0, () => create(supply, random)],
    [spare === undefined ? 0 : 2, () => remove(random)],
    [layered ? 0 : 5, () => install(name, guest, random)],
    [layered ? 2 : 0, () => uninstall(name, guest, random)],
    [4, () => upgrade(name, guest, supply, random)],
    [
      numbers.length > 1 ? 4 : 0,
      () => rollback(name, random.pick(numbers.filter((each) => each !== currentOf(guest)))),
    ],
    [numbers.length > 4 ? 6 : 2, () => cleanup(random.below(3) === 0 ? undefined : name, facts)],
    [1, () => restart(name, guest)],
    [up ? 1 : 0, () => stop(name)],
    [up ? 0 : 5, () => start(name, guest)],
    [1, () => pin(name, guest, random)],
  ];
  const wheel = choices.flatMap(([weight, make]) => Array.from({ length: weight }, () => make));
  return random.pick(wheel)();
}

function create(supply: Supply, random: Random): Operation {
  const layered = random.below(2) === 0;
  const started = random.below(2) === 0;
  return {
    name: 'create',
    guest: SPARE,
    args: [
      'create',
      SPARE,
      ...supply.source,
      ...(layered ? ['--install', 'marker'] : []),
      ...(started ? ['--start'] : []),
    ],
    codes: [0, 5],
    targets: ['new'],
    mayStop: true,
    unfinished: (_, after) => [
      ...(after === undefined ? ['there is no guest'] : []),
      ...differs('layers', layered, generationOf(after, 1)?.version.startsWith('none/') === false),
      // A guest that was made before the cut took effect was started by the same plan.
      ...(started && after?.running === null ? ['it was not started'] : []),
    ],
  };
}

function remove(random: Random): Operation {
  return {
    name: 'remove',
    guest: SPARE,
    args: ['remove', SPARE, '--yes', ...(random.below(3) === 0 ? ['--keep-data'] : [])],
    codes: [0, 4],
    targets: [],
    mayStop: true,
    unfinished: (_, after) => (after === undefined ? [] : ['the guest is still there']),
  };
}

function install(guest: string, before: GuestFacts, random: Random): Operation {
  const base = newestOf(before)?.version.split('/')[1] ?? '';
  return change('install', guest, ['install', guest, 'marker'], [0, 77], random, (version) =>
    version.startsWith('none/') || !version.endsWith(`/${base}`) ? [`its tree is ${version}`] : [],
  );
}

function uninstall(guest: string, before: GuestFacts, random: Random): Operation {
  const base = newestOf(before)?.version.split('/')[1] ?? '';
  return change('uninstall', guest, ['uninstall', guest, 'marker'], [0, 4], random, (version) =>
    differs('its tree', version, `none/${base}`),
  );
}

async function upgrade(
  guest: string,
  before: GuestFacts,
  supply: Supply,
  random: Random,
): Promise<Operation> {
  const layered = newestOf(before)?.requested.includes('marker') === true;
  const news = random.below(6);
  if (layered && news >= 2) await supply.publishMarker();
  if (news === 1 || news === 2 || (!layered && news > 0)) await supply.publishBase();
  const wanted = `${layered ? `${supply.marker}.0` : 'none'}/${supply.base}`;
  return change('upgrade', guest, ['upgrade', guest], [0, 77], random, (version) =>
    differs('its tree', version, wanted),
  );
}

/** A new generation; one time in four it is left for the next restart. */
function change(
  name: string,
  guest: string,
  args: readonly string[],
  codes: readonly number[],
  random: Random,
  wrong: (version: string) => string[],
): Operation {
  const waits = random.below(4) === 0;
  return {
    name,
    guest,
    args: [...args, ...(waits ? ['--no-switch'] : [])],
    codes,
    targets: waits ? [] : ['new'],
    mayStop: false,
    unfinished: (_, after) =>
      wrong((waits ? newestOf(after) : generationOf(after, currentOf(after)))?.version ?? ''),
  };
}

function rollback(guest: string, target: number): Operation {
  return {
    name: 'rollback',
    guest,
    args: ['rollback', guest, String(target)],
    codes: [0, 77],
    targets: [target],
    mayStop: false,
    unfinished: (_, after) => differs('the current generation', currentOf(after), target),
  };
}

function cleanup(guest: string | undefined, facts: Facts): Operation {
  return {
    name: 'cleanup',
    guest,
    args: ['cleanup', ...(guest === undefined ? [] : [guest])],
    codes: [0],
    targets: [],
    mayStop: false,
    unfinished: (before, after) => {
      const limit = 3 + (before?.pins.length ?? 0) + Object.keys(facts.guests).length;
      const left = after === undefined ? 0 : numbersOf(after).length;
      return left > limit ? [`${left} generations are left`] : [];
    },
  };
}

function restart(guest: string, before: GuestFacts): Operation {
  const pending = pendingOf(before);
  return {
    name: 'restart',
    guest,
    args: ['restart', guest],
    codes: [0],
    targets: pending === undefined ? [] : [pending],
    mayStop: false,
    unfinished: (_, after) => [
      ...(after?.running === null ? ['it does not run'] : []),
      ...(pending === undefined ? [] : differs('the current generation', currentOf(after), pending)),
    ],
  };
}

function start(guest: string, before: GuestFacts): Operation {
  return { ...restart(guest, before), name: 'start', args: ['start', guest] };
}

function stop(guest: string): Operation {
  return {
    name: 'stop',
    guest,
    args: ['stop', guest],
    codes: [0],
    targets: [],
    mayStop: true,
    unfinished: (_, after) => (after?.running === null ? [] : ['it runs']),
  };
}

function pin(guest: string, before: GuestFacts, random: Random): Operation {
  const pinned = before.pins.map(Number);
  // One pin at a time, so that cleanup goes on having something to do.
  const [number] = pinned.length > 0 ? pinned : [random.pick(numbersOf(before))];
  const verb = pinned.length > 0 ? 'unpin' : 'pin';
  return {
    name: verb,
    guest,
    args: [verb, guest, String(number)],
    codes: [0],
    targets: [],
    mayStop: false,
    unfinished: (_, after) =>
      differs('pinned', after?.pins.includes(String(number)) === true, verb === 'pin'),
  };
}

function differs(what: string, found: unknown, wanted: unknown): string[] {
  return found === wanted ? [] : [`${what}: ${String(found)} instead of ${String(wanted)}`];
}
