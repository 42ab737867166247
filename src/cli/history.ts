import type { App } from '../app/app.ts';
import { renderTable } from '../app/output.ts';
import type { PackageChange } from '../apply/layering.ts';
import { comparePackages } from '../engines/comparison.ts';
import { treeRef } from '../model/paths.ts';
import { parseGuestName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Quarantine } from '../model/quarantine.ts';
import {
  failureOf,
  pendingGeneration,
  previousGeneration,
  switchesOf,
  type GuestState,
} from '../plan/state.ts';
import { renderLong } from './historylong.ts';
import type { Verb } from './verb.ts';

export const history: Verb = {
  name: 'history',
  args: '<name>',
  summary: 'list the generations of a guest, the newest first',
  kind: 'reading',
  examples: ['guestree history mail', 'guestree history mail --long', 'guestree history mail --json'],
  declare: (command) =>
    void command.option('--long', 'tell of each switch: preflight, health, downtime, and why it ended'),
  async run(app, args) {
    const state = await app.observe(parseGuestName(args.required(0)));
    const changes = args.flag('long') ? await packageChanges(app, state) : undefined;
    const generations = describeGenerations(state).map((each) => ({
      ...each,
      changes: changes?.get(each.generation),
    }));
    app.print({ guest: state.name, generations }, () =>
      args.flag('long')
        ? generations.map(renderLong).join('\n')
        : renderTable(
            app.streams,
            ['GENERATION', 'MADE', 'BY', 'TREE', 'PACKAGES', 'STATE'],
            generations.map((each) => [
              String(each.generation),
              each.createdAt.slice(0, 16).replace('T', ' '),
              each.createdBy,
              each.tree.slice(0, 12),
              each.requested.join(' ') || '-',
              each.flags.join(', ') || '-',
            ]),
          ),
    );
    return undefined;
  },
};

export interface GenerationLine {
  generation: number;
  createdAt: string;
  createdBy: string;
  base: string;
  tree: string;
  requested: string[];
  overrides: Overrides;
  flags: string[];
  /** Packages that differ from the generation that was made before it; only with --long. */
  changes?: PackageChange[] | undefined;
  /** Why its tree is in quarantine. */
  failed: Quarantine | undefined;
  /** Switches to it, also those that failed. */
  switches: GuestState['events'];
  /** What took its place, each time. */
  ended: { time: string; by: string; to: number }[];
}

function describeGenerations(state: GuestState): GenerationLine[] {
  const marks: [string, number | undefined][] = [
    ['current', state.current],
    ['running', state.running],
    ['previous', previousGeneration(state)],
    ['pending', pendingGeneration(state)],
  ];
  return state.generations
    .map((each) => ({
      generation: each.number,
      createdAt: each.createdAt,
      createdBy: each.createdBy,
      base: each.base,
      tree: each.tree,
      requested: [...each.requested],
      overrides: each.overrides,
      flags: [
        ...marks.filter(([, number]) => number === each.number).map(([flag]) => flag),
        ...(state.pinned.has(each.number) ? ['pinned'] : []),
        ...(failureOf(state, each.number) === undefined ? [] : ['failed']),
      ],
      failed: failureOf(state, each.number),
      ended: switchesOf(state.events)
        .filter((event) => event.previous === each.number)
        .map((event) => ({ time: event.time, by: event.reason, to: event.generation })),
      switches: state.events.filter((event) => event.generation === each.number),
    }))
    .reverse();
}

/** What each generation brought; the first one that is left has nothing to be compared with. */
async function packageChanges(app: App, state: GuestState): Promise<Map<number, PackageChange[]>> {
  const { layering, pool } = app.effects;
  const found = new Map<number, PackageChange[]>();
  let before: ReadonlyMap<string, string> | undefined;
  for (const { number } of state.generations) {
    const packages = await layering.packages(await pool.require(treeRef(state.name, number)));
    if (before !== undefined) found.set(number, comparePackages(before, packages));
    before = packages;
  }
  return found;
}
