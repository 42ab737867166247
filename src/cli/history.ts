import { renderTable } from '../app/output.ts';
import { parseGuestName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';
import { pendingGeneration, previousGeneration, type GuestState } from '../plan/state.ts';
import type { Verb } from './verb.ts';

export const history: Verb = {
  name: 'history',
  args: '<name>',
  summary: 'list the generations of a guest, the newest first',
  kind: 'reading',
  examples: ['guestree history mail', 'guestree history mail --json'],
  async run(app, args) {
    const state = await app.observe(parseGuestName(args.required(0)));
    const generations = describeGenerations(state);
    app.print({ guest: state.name, generations }, () =>
      renderTable(
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

interface GenerationLine {
  generation: number;
  createdAt: string;
  createdBy: string;
  base: string;
  tree: string;
  requested: string[];
  overrides: Overrides;
  flags: string[];
  switches: GuestState['events'];
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
      ],
      switches: state.events.filter((event) => event.generation === each.number),
    }))
    .reverse();
}
