import type { PackageChange } from '../apply/layering.ts';
import type { App } from '../app/app.ts';
import { findHold, type Hold } from '../app/hold.ts';
import { readLastRun } from '../app/unattended.ts';
import { openingAfter, tellTime } from '../app/wallclock.ts';
import { comparePackages } from '../engines/comparison.ts';
import { EXIT_UNCHANGED } from '../model/failure.ts';
import type { LastRun } from '../model/lastrun.ts';
import { parseGuestName, type GuestName } from '../model/names.ts';
import { treeRef } from '../model/paths.ts';
import { formatWindow } from '../model/window.ts';
import { pendingGeneration, type GuestState } from '../plan/state.ts';
import { upgradeTimer } from '../units/upgrade.ts';
import { renderChanges } from './diff.ts';
import type { Verb } from './verb.ts';

export const pending: Verb = {
  name: 'pending',
  args: '[name]',
  summary: 'show generations that wait, and when they are switched to; exit code 77 if none waits',
  kind: 'reading',
  examples: ['guestree pending', 'guestree pending mail --json'],
  async run(app, args) {
    const given = args.one(0);
    const states =
      given === undefined
        ? await app.observeAll(await app.guests())
        : [await app.observe(parseGuestName(given))];
    const enabled = await app.effects.systemd.enabledUnits();
    const guests: PendingLine[] = [];
    for (const state of states) guests.push(await describePending(app, state, enabled));
    app.print({ guests }, () => guests.map(renderPending).join(''));
    return guests.some((each) => each.pending !== null) ? 0 : EXIT_UNCHANGED;
  },
};

interface PendingLine {
  name: string;
  current: number;
  /** The generation that waits. */
  pending: number | null;
  /** Its packages against the current generation. */
  changes: PackageChange[];
  windows: string[];
  /** When a window opens, if none is open now: ISO 8601. */
  opens: string | null;
  hold: Hold | null;
  /** Whether the timer is enabled. */
  timer: boolean;
  lastRun: LastRun | null;
}

async function describePending(
  app: App,
  state: GuestState,
  enabled: ReadonlySet<string>,
): Promise<PendingLine> {
  const { name, definition } = state;
  const waits = pendingGeneration(state);
  const { windows } = definition.upgrade;
  return {
    name,
    current: state.current,
    pending: waits ?? null,
    changes: waits === undefined ? [] : await changesTo(app, name, state.current, waits),
    windows: windows.map(formatWindow),
    opens: openingAfter(windows, app.clock())?.toISOString() ?? null,
    hold: (await findHold(app.effects.paths, name)) ?? null,
    timer: enabled.has(upgradeTimer(name)),
    lastRun: (await readLastRun(app.effects, name)) ?? null,
  };
}

async function changesTo(
  app: App,
  name: GuestName,
  current: number,
  waits: number,
): Promise<PackageChange[]> {
  const { layering, pool } = app.effects;
  const [before, after] = await Promise.all(
    [current, waits].map(async (number) => layering.packages(await pool.require(treeRef(name, number)))),
  );
  return comparePackages(before ?? new Map(), after ?? new Map());
}

function renderPending(guest: PendingLine): string {
  const lines: [string, string | undefined][] = [
    ['Window', tellWindows(guest)],
    ['Held back', guest.hold === null ? undefined : `${guest.hold.reason} (${guest.hold.path})`],
    ['Timer', guest.timer ? 'enabled' : `not enabled; systemctl enable --now ${timerOf(guest)}`],
    ['Last run', guest.lastRun === null ? undefined : tellRun(guest.lastRun)],
  ];
  const head =
    guest.pending === null
      ? `${guest.name}: nothing waits\n`
      : `${guest.name}: generation ${guest.pending} waits (current: ${guest.current})\n${tellChanges(guest)}`;
  return `${head}${lines
    .flatMap(([key, value]) => (value === undefined ? [] : [`  ${`${key}:`.padEnd(11)}${value}\n`]))
    .join('')}`;
}

function tellChanges({ changes }: PendingLine): string {
  return changes.length === 0
    ? '  no package has another version; other files differ\n'
    : renderChanges(changes);
}

function timerOf({ name }: PendingLine): string {
  return upgradeTimer(parseGuestName(name));
}

function tellWindows({ windows, opens }: PendingLine): string {
  if (windows.length === 0) return 'always open';
  const list = windows.join('; ');
  return opens === null ? `${list} (open now)` : `${list} (opens ${tellTime(new Date(opens))})`;
}

function tellRun({ time, result, generation, message }: LastRun): string {
  const what = generation === undefined ? result : `${result}, generation ${generation}`;
  return `${tellTime(new Date(time))}, ${what}${message === undefined ? '' : `: ${message}`}`;
}
