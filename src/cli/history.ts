import { renderTable } from '../app/output.ts';
import { parseGuestName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Quarantine } from '../model/quarantine.ts';
import {
  failureOf,
  pendingGeneration,
  previousGeneration,
  switchesOf,
  type Examined,
  type GuestState,
  type SwitchEvent,
} from '../plan/state.ts';
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
    const generations = describeGenerations(state);
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

interface GenerationLine {
  generation: number;
  createdAt: string;
  createdBy: string;
  base: string;
  tree: string;
  requested: string[];
  overrides: Overrides;
  flags: string[];
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

function renderLong(line: GenerationLine): string {
  const flags = line.flags.length === 0 ? '' : ` (${line.flags.join(', ')})`;
  const happened = [
    ...line.switches.map((event) => ({ time: event.time, text: renderEvent(event) })),
    ...line.ended.map(({ time, by, to }) => ({ time, text: `ended by ${by}, which made ${to} current` })),
  ].sort((a, b) => (a.time < b.time ? -1 : 1));
  return [
    `generation ${line.generation}${flags}\n`,
    `  Made:     ${minute(line.createdAt)} by ${line.createdBy}\n`,
    `  Tree:     ${line.tree.slice(0, 12)} on base ${line.base.slice(0, 12)}\n`,
    `  Packages: ${line.requested.join(' ') || '-'}\n`,
    ...happened.map(({ time, text }) => `  ${minute(time)}  ${text}\n`),
  ].join('');
}

function renderEvent(event: SwitchEvent): string {
  const parts = [
    event.failed === undefined
      ? `current by ${event.reason}`
      : `${event.failed} failed in ${event.reason}: ${event.why ?? ''}`,
    ...examined('preflight', event.preflight),
    ...(event.unproven === undefined ? [] : [`no preflight: ${event.unproven}`]),
    ...examined('health', event.health),
    ...(event.downtimeMs === undefined ? [] : [`unavailable for ${(event.downtimeMs / 1000).toFixed(2)} s`]),
  ];
  return parts.join('; ');
}

function examined(what: string, result: Examined | undefined): string[] {
  if (result === undefined) return [];
  const bad = result.checks.filter((check) => !check.passed).map(({ name }) => name);
  const checks = `${result.checks.length} check${result.checks.length === 1 ? '' : 's'}`;
  const failing = bad.length === 0 ? '' : `, failing: ${bad.join(', ')}`;
  const verdict = result.passed ? 'passed' : 'failed';
  return [`${what} ${verdict} (${checks}${failing}, ${(result.milliseconds / 1000).toFixed(1)} s)`];
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
