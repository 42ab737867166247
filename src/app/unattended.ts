import { ensureTimer } from '../apply/timer.ts';
import { placesOf, type Effects } from '../apply/effects.ts';
import { EXIT_UNCHANGED, Failure } from '../model/failure.ts';
import { parseLastRun, renderLastRun, type LastRun } from '../model/lastrun.ts';
import type { GuestName } from '../model/names.ts';
import { isOpen } from '../model/window.ts';
import { planUpgrade, takeUpPending } from '../plan/operations.ts';
import { failureOf, newestGeneration, pendingGeneration, type GuestState } from '../plan/state.ts';
import { readOptional, writeFileAtomic } from '../system/files.ts';
import type { App } from './app.ts';
import { findHold, tellHold, type Hold } from './hold.ts';
import { pendingChanges } from './upgrades.ts';
import { openingAfter, tellTime, wallTime } from './wallclock.ts';

/**
 * An upgrade that nobody asked for, as the timer runs it. What is new is built at any time; the guest is switched only
 * while a window is open, and not to a generation that it could not be switched to before. A hold stops both.
 * @returns the exit code: 0 if something was built or switched, 77 if not
 */
export async function upgradeUnattended(app: App, name: GuestName): Promise<number> {
  try {
    return await app.locked(name, async () => run(app, name));
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'locked') throw error;
    app.streams.out(`${name}: somebody works on it; it is left for the next run\n`);
    return EXIT_UNCHANGED;
  }
}

async function run(app: App, name: GuestName): Promise<number> {
  const { effects } = app;
  const before = await app.observe(name);
  const hold = await findHold(effects.paths, name);
  if (hold !== undefined) return held(app, name, hold);
  let pending: number | undefined;
  try {
    if (!app.options.dryRun && (await ensureTimer(effects, name))) await effects.systemd.reload();
    const built = await build(app, before);
    const state = await app.observe(name);
    pending = pendingGeneration(state);
    if (pending === undefined) {
      const failed = failureOf(state, newestGeneration(state).number);
      const text = failed
        ? `nothing is newer than generation ${failed.generation}, which failed: ${failed.why}`
        : 'nothing changed';
      return await end(app, name, 'unchanged', undefined, text);
    }
    return await take(app, state, pending, built);
  } catch (error) {
    if (error instanceof Failure) {
      // A switch that failed was undone, and its generation waits on: it would fail again at every run of the timer.
      const refused = pending ?? (await readLastRun(effects, name))?.refused;
      await note(app, name, { result: 'failed', message: error.message, refused });
    }
    throw error;
  }
}

/** Makes a generation of what is new, and switches to nothing: that is a step of its own. */
async function build(app: App, state: GuestState): Promise<boolean> {
  const changes = await pendingChanges(app.effects, state);
  if (changes.length === 0) return false;
  const outcome = await app.apply(planUpgrade(state, { doSwitch: false }));
  return outcome !== 'dry-run' && outcome.result === 'done';
}

/** Switches to the generation that waits, or says why not now. */
async function take(app: App, state: GuestState, pending: number, built: boolean): Promise<number> {
  const { name, definition } = state;
  const ready = built ? 'is ready' : 'waits';
  const waiting = built ? 'staged' : 'waiting';
  // Building takes its time: both may have changed since it began.
  const hold = await findHold(app.effects.paths, name);
  if (hold !== undefined) return held(app, name, hold, built);
  const { windows } = definition.upgrade;
  const now = app.clock();
  if (!isOpen(windows, wallTime(now))) {
    const next = openingAfter(windows, now);
    const when = next === undefined ? '' : `, which opens ${tellTime(next)}`;
    return end(
      app,
      name,
      waiting,
      pending,
      `generation ${pending} ${ready}; it is left for the next window${when}`,
    );
  }
  if ((await readLastRun(app.effects, name))?.refused === pending) {
    const text = `generation ${pending} waits; the guest could not be switched to it before. Try it with: guestree restart ${name}`;
    return end(app, name, 'waiting', pending, text);
  }
  const plan = takeUpPending(state, { doSwitch: true });
  if (plan === 'unchanged') {
    const text = `generation ${pending} ${ready}; with Strategy=none it is taken up by the next start or restart`;
    return end(app, name, waiting, pending, text);
  }
  const outcome = await app.apply(plan);
  if (outcome === 'dry-run') return 0;
  const seconds =
    outcome.downtimeMs === undefined ? '' : `, unavailable for ${(outcome.downtimeMs / 1000).toFixed(2)} s`;
  return end(app, name, 'switched', pending, `now on generation ${pending}${seconds}`);
}

async function held(app: App, name: GuestName, hold: Hold, built = false): Promise<number> {
  app.streams.out(`${name}: held back: ${tellHold(hold)}\n`);
  await note(app, name, { result: 'held', message: tellHold(hold) });
  return built ? 0 : EXIT_UNCHANGED;
}

async function end(
  app: App,
  name: GuestName,
  result: 'switched' | 'staged' | 'waiting' | 'unchanged',
  generation: number | undefined,
  sentence: string,
): Promise<number> {
  app.streams.out(`${name}: ${sentence}\n`);
  await note(app, name, { result, generation });
  return result === 'switched' || result === 'staged' ? 0 : EXIT_UNCHANGED;
}

/** What came of the last unattended upgrade, if there was one. */
export async function readLastRun(effects: Effects, name: GuestName): Promise<LastRun | undefined> {
  const text = await readOptional(placesOf(effects, name).lastRun);
  return text === undefined ? undefined : parseLastRun(text);
}

async function note(
  app: App,
  name: GuestName,
  run: Partial<LastRun> & Pick<LastRun, 'result'>,
): Promise<void> {
  if (app.options.dryRun) return;
  const refused = run.refused ?? (await readLastRun(app.effects, name))?.refused;
  const record: LastRun = { version: 1, time: app.clock().toISOString(), ...run, refused };
  await writeFileAtomic(placesOf(app.effects, name).lastRun, renderLastRun(record));
}
