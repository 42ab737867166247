import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { applyPlan, recoverGuest, type Failpoint, type Outcome } from '../apply/apply.ts';
import type { Effects } from '../apply/effects.ts';
import { interruptedGuests } from '../apply/journal.ts';
import { findDamage } from '../apply/damage.ts';
import { removeStaleScratch } from '../apply/leftovers.ts';
import { listGuests, observeGuest, observeGuests, requireGuest } from '../apply/observe.ts';
import { EngineLayering } from '../engines/layering.ts';
import {
  attribute,
  compareFingerprints,
  refuseSoftReboot,
  takeFingerprint,
  tellDifference,
  type Difference,
  type Fingerprint,
} from '../guard/fingerprint.ts';
import { HOST_PLACES, observeHost } from '../guard/host.ts';
import { requireReady, settleRpmOstree } from '../guard/settle.ts';
import { GuardWindow } from '../guard/window.ts';
import { Failure } from '../model/failure.ts';
import { parseGuestName, quoted, type GuestName } from '../model/names.ts';
import { guardPath, guestPaths, hostPaths, poolPath, sharedLocks, stateDirectory } from '../model/paths.ts';
import type { GuestState } from '../plan/state.ts';
import { describe, type Plan } from '../plan/step.ts';
import { acquireLock, isLocked } from '../system/lock.ts';
import { Repo } from '../system/ostree.ts';
import { createRunner } from '../system/run.ts';
import { Systemd } from '../system/systemd.ts';
import { repairHost } from './hostguard.ts';
import { Crew } from './crew.ts';
import { createCommandLog, createProgress, standardStreams, type Streams } from './output.ts';

export interface GlobalOptions {
  verbose: boolean;
  json: boolean;
  dryRun: boolean;
}

/** What every verb gets: the host, and how to talk to the user. */
export class App {
  readonly effects: Effects;
  readonly streams: Streams;
  readonly options: GlobalOptions;
  /**
   * The time by which it is decided whether a window is open. Records bear the real time, which /etc is compared with;
   * a test says another one for windows with GUESTREE_NOW.
   */
  readonly clock: () => Date;
  readonly #failpoint: Failpoint;
  readonly #crew = new Crew();

  constructor(options: GlobalOptions, environment: Readonly<Record<string, string | undefined>>) {
    this.options = options;
    this.streams = standardStreams(environment);
    const runner = createRunner(createCommandLog(this.streams, options.verbose, this.#crew), environment);
    const ostreeBooted = existsSync('/run/ostree-booted');
    const paths = hostPaths(stateDirectory(environment['GUESTREE_STATE'], ostreeBooted));
    const pool = new Repo(runner, poolPath(paths));
    const progress = createProgress(this.streams, false, this.#crew);
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const now = (): Date => new Date();
    const window = new GuardWindow({
      runner,
      bootId,
      now,
      places: HOST_PLACES,
      directory: guardPath(paths),
      settle: () => settleRpmOstree(runner),
      requireReady: (locked) => requireReady(runner, locked),
    });
    this.clock = clockOf(environment['GUESTREE_NOW'], now);
    this.#failpoint = failpointOf(environment['GUESTREE_FAILPOINT']);
    this.effects = {
      paths,
      runner,
      systemd: new Systemd(runner),
      pool,
      window,
      layering: new EngineLayering({ runner, pool, paths, window, environment }),
      now,
      program: [process.execPath, realpathSync(process.argv[1] ?? '')],
      bootId,
      ostreeBooted,
      progress,
      interruption: watchSignals((text) => progress.warning(text)),
    };
  }

  /** Prints the object as JSON with `--json`, else the text made of it. Both come from the same object. */
  print(value: Readonly<Record<string, unknown>>, render: () => string): void {
    this.streams.out(this.options.json ? `${JSON.stringify({ version: 1, ...value }, null, 2)}\n` : render());
  }

  async guests(): Promise<GuestName[]> {
    return listGuests(this.effects.paths);
  }

  async observe(name: GuestName): Promise<GuestState> {
    await requireGuest(this.effects.paths, name);
    return observeGuest(this.effects.paths, this.effects.systemd, name);
  }

  /** Warns of files of guests that cannot be read and are passed over. */
  async tellDamage(names: readonly GuestName[]): Promise<void> {
    for (const name of names)
      for (const sentence of await findDamage(this.effects.paths, name))
        this.effects.progress.warning(sentence);
  }

  async observeAll(names: readonly GuestName[]): Promise<GuestState[]> {
    return observeGuests(this.effects.paths, this.effects.systemd, names);
  }

  /** Applies a plan under the guard; with --dry-run prints its steps and changes nothing. */
  async apply(plan: Plan): Promise<Outcome | 'dry-run'> {
    if (this.options.dryRun) {
      this.streams.out(plan.steps.map((step, index) => `${index + 1}. ${describe(step)}\n`).join(''));
      return 'dry-run';
    }
    if (!this.effects.ostreeBooted) return applyPlan(plan, this.effects, this.#failpoint);
    await refuseSoftReboot();
    await this.#closeLeftWindow();
    const before = await takeFingerprint();
    try {
      return await applyPlan(plan, this.effects, this.#failpoint);
    } finally {
      await this.#requireUntouched(plan, before);
    }
  }

  /** A guard window that was cut off, by a kill or a power cut, is closed by whatever command comes next. */
  async #closeLeftWindow(): Promise<void> {
    if (!(await this.effects.window.isOpen())) return;
    if (await isLocked(`${this.effects.paths.locks}/.window`)) return;
    this.effects.progress.warning('A guard window was cut off; the host gets back what it had staged.');
    await repairHost(this.effects, (sentence) => this.effects.progress.detail(sentence));
  }

  /** @throws Failure `guard` if something of guestree's stayed on the host; it was repaired then */
  async #requireUntouched(plan: Plan, before: Fingerprint): Promise<void> {
    const differences = compareFingerprints(before, await takeFingerprint());
    if (differences.length === 0) return;
    const window = plan.steps.some((step) => step.action === 'open-window');
    const { ours, foreign } = attribute(differences, await observeHost(), window);
    const list = (found: readonly Difference[]): string => found.map(tellDifference).join('; ');
    if (foreign.length > 0)
      this.effects.progress.warning(`The host was changed by somebody else meanwhile: ${list(foreign)}.`);
    if (ours.length === 0) return;
    let repaired = true;
    try {
      await repairHost(this.effects, (sentence) => this.effects.progress.detail(sentence));
    } catch {
      repaired = false;
    }
    throw new Failure('guard', `"${plan.operation}" changed the host: ${list(ours)}`, {
      hint: repaired
        ? 'It was put back as it was. This is a bug of guestree; see the host with: guestree guard'
        : 'It could not be put back; see the host with: guestree guard',
    });
  }

  /** Runs something with the guest's lock held, after what was interrupted before has been finished or undone. */
  async locked<T>(name: GuestName, work: () => Promise<T>): Promise<T> {
    if (this.options.dryRun) return work();
    const places = guestPaths(this.effects.paths, name);
    const release = await acquireLock(places.lock, `the guest "${name}"`);
    try {
      const recovery = await recoverGuest({ guest: name }, this.effects, this.#failpoint);
      if (recovery !== 'nothing')
        this.effects.progress.warning(`${name}: an interrupted operation was ${recovery}`);
      await removeStaleScratch(this.effects, name);
      return await work();
    } finally {
      await release();
    }
  }

  /** Runs something that belongs to no guest, and has one journal for all: cleanup of the pool. Waits for others. */
  async lockedPool<T>(work: () => Promise<T>): Promise<T> {
    if (this.options.dryRun) return work();
    const release = await acquireLock(sharedLocks(this.effects.paths).cleanup, 'the pool', true);
    try {
      return await work();
    } finally {
      await release();
    }
  }

  async interruptedGuests(): Promise<GuestName[]> {
    return interruptedGuests(this.effects.paths);
  }

  /**
   * Does the same for several guests, for `jobs` of them at the same time. A guest that fails does not keep the others
   * from their turn; at the end the first failure is thrown, with its guest's name. Who asks to stop (SIGINT) is
   * obeyed: with guests that have not had their turn nothing is begun.
   */
  async each(names: readonly string[], work: (name: GuestName) => Promise<void>, jobs = 1): Promise<void> {
    const parsed = [...new Set(names)].map(parseGuestName);
    const failures = await this.#crew.each(parsed, jobs, async (name) => {
      if (this.effects.interruption.aborted)
        throw new Failure('interrupted', 'interrupted before anything was begun');
      await work(name);
    });
    for (const failure of failures.slice(1)) this.streams.err(renderFailure(failure));
    if (failures[0]) throw failures[0];
  }
}

/** What went wrong, why, and what to type next. */
export function renderFailure(failure: Failure): string {
  const where = failure.guest === undefined ? '' : `${failure.guest}: `;
  return `guestree: ${where}${failure.message}\n${failure.hint === undefined ? '' : `  ${failure.hint}\n`}`;
}

/**
 * For the tests that prove recovery: `GUESTREE_FAILPOINT=before:3` kills this process there, and `stop:3` makes it wait
 * before step 3 until it gets SIGCONT, so that the test can change something meanwhile.
 */
function failpointOf(wanted: string | undefined): Failpoint {
  return (point) => {
    if (wanted === undefined) return;
    if (point === wanted) process.kill(process.pid, 'SIGKILL');
    if (point === wanted.replace(/^stop:/, 'before:')) process.kill(process.pid, 'SIGSTOP');
  };
}

/** The real time, or one that begins with GUESTREE_NOW (ISO 8601) and goes on from there: for tests of windows. */
function clockOf(wanted: string | undefined, now: () => Date): () => Date {
  if (wanted === undefined || wanted === '') return now;
  const begin = new Date(wanted).getTime();
  if (Number.isNaN(begin)) {
    throw new Failure('invalid', `GUESTREE_NOW is no time: ${quoted(wanted)}`, {
      hint: 'Write it as 2026-11-29T02:00:00, or leave it out.',
    });
  }
  const real = now().getTime();
  return () => new Date(begin + now().getTime() - real);
}

/** The first signal asks to stop; what it comes to is decided between steps. Further ones change nothing. */
function watchSignals(tell: (text: string) => void): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) return;
      controller.abort();
      tell(`${signal}: ending as soon as nothing is left half-done`);
    });
  }
  return controller.signal;
}
