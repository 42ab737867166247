import { formatListen } from '../model/listen.ts';
import { formatNetwork, formatPort } from '../model/network.ts';
import { parseGuestName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';
import { formatSource } from '../model/source.ts';
import type { Quarantine } from '../model/quarantine.ts';
import {
  currentGeneration,
  pendingGeneration,
  previousGeneration,
  switchesOf,
  type GuestState,
} from '../plan/state.ts';
import type { Verb } from './verb.ts';

export const status: Verb = {
  name: 'status',
  args: '[name]',
  summary: 'show guests in detail',
  kind: 'reading',
  examples: ['guestree status', 'guestree status mail --json'],
  async run(app, args) {
    const given = args.one(0);
    const states =
      given === undefined
        ? await app.observeAll(await app.guests())
        : [await app.observe(parseGuestName(given))];
    await app.tellDamage(states.map(({ name }) => name));
    const guests = states.map(describeGuest);
    app.print({ guests }, () => guests.map(renderGuest).join('\n'));
    return undefined;
  },
};

export interface GuestLine {
  name: string;
  state: 'running' | 'stopped';
  enabled: boolean;
  generation: number;
  running: number | undefined;
  previous: number | undefined;
  pending: number | undefined;
  from: string;
  tree: string;
  base: string;
  engine: string;
  requested: string[];
  overrides: Overrides;
  network: string;
  ports: string[];
  listens: string[];
  generations: number;
  pinned: number[];
  lastSwitch: GuestState['events'][number] | undefined;
  /** Failed switches that nobody has said to have seen. */
  failures: Quarantine[];
  strategy: string;
}

export function describeGuest(state: GuestState): GuestLine {
  const current = currentGeneration(state);
  return {
    name: state.name,
    state: state.active ? 'running' : 'stopped',
    enabled: state.enabled,
    generation: state.current,
    running: state.running,
    previous: previousGeneration(state),
    pending: pendingGeneration(state),
    from: formatSource(state.definition.source),
    tree: current.tree,
    base: current.base,
    engine: current.engine,
    requested: [...current.requested],
    overrides: current.overrides,
    network: formatNetwork(state.definition.network),
    ports: state.definition.ports.map(formatPort),
    listens: state.definition.listens.map(formatListen),
    generations: state.generations.length,
    pinned: [...state.pinned].sort((a, b) => a - b),
    lastSwitch: switchesOf(state.events).at(-1),
    failures: state.quarantined.filter((each) => !each.seen),
    strategy: state.definition.switching.strategy,
  };
}

function renderGuest(guest: GuestLine): string {
  const differs = guest.running !== undefined && guest.running !== guest.generation;
  const lines: [string, string | undefined][] = [
    ...guest.failures.map((each): [string, string] => [
      'FAILED',
      `generation ${each.generation} in ${each.phase}, ${each.time.slice(0, 16).replace('T', ' ')}: ${each.why} (seen: guestree quarantine ${guest.name} --seen)`,
    ]),
    ['State', `${guest.state}${guest.enabled ? ', started at boot' : ''}`],
    ['Generation', `${guest.generation}${differs ? ` (still running: ${String(guest.running)})` : ''}`],
    [
      'Pending',
      guest.pending === undefined
        ? undefined
        : `${guest.pending} (switch with: guestree restart ${guest.name})`,
    ],
    ['Previous', guest.previous === undefined ? undefined : String(guest.previous)],
    ['Pinned', guest.pinned.length === 0 ? undefined : guest.pinned.join(', ')],
    ['From', guest.from],
    ['Packages', guest.requested.join(' ') || '-'],
    ['Removed', guest.overrides.removed.join(' ') || undefined],
    ['Replaced', guest.overrides.replaced.map(({ nevra }) => nevra).join(' ') || undefined],
    ['Tree', guest.tree],
    ['Network', [guest.network, ...guest.ports].join(' ')],
    ['Listens', guest.listens.join(' ') || undefined],
    ['Switched', renderSwitch(guest)],
  ];
  const body = lines.flatMap(([key, value]) =>
    value === undefined ? [] : [`  ${`${key}:`.padEnd(12)}${value}\n`],
  );
  return `${guest.name}\n${body.join('')}`;
}

function renderSwitch({ lastSwitch }: GuestLine): string | undefined {
  if (lastSwitch === undefined) return undefined;
  const downtime =
    lastSwitch.downtimeMs === undefined
      ? ''
      : `, unavailable for ${(lastSwitch.downtimeMs / 1000).toFixed(2)} s`;
  return `${lastSwitch.time.slice(0, 16).replace('T', ' ')} by ${lastSwitch.reason}${downtime}`;
}
