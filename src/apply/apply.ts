import { Failure } from '../model/failure.ts';
import { describe, type Plan } from '../plan/step.ts';
import { placesOf, type Effects } from './effects.ts';
import { executorOf, isAction, type Run } from './executors.ts';
import { Journal, type Interrupted } from './journal.ts';

export interface Outcome {
  result: 'done' | 'unchanged';
  /** Milliseconds in which the guest was not ready; undefined if it was not restarted. */
  downtimeMs: number | undefined;
}

/** Where a test wants the program to die: `before:3`, `after:3` or `undo:3` (test/crash). */
export type Failpoint = (point: string) => void;

/**
 * Applies a plan: each step is written to the journal, and the journal to the disk, before it begins. A step that
 * fails, or that finds that nothing changed, makes all steps before it be undone, the last one first. The caller holds
 * the guest's lock.
 */
export async function applyPlan(
  plan: Plan,
  effects: Effects,
  failpoint: Failpoint = () => undefined,
): Promise<Outcome> {
  const journal = journalOf(plan, effects);
  const run: Run = { rebooted: false };
  await journal.open(plan, effects.bootId, effects.now().toISOString());
  return forward(plan, 0, journal, effects, run, failpoint);
}

async function forward(
  plan: Plan,
  from: number,
  journal: Journal,
  effects: Effects,
  run: Run,
  failpoint: Failpoint,
): Promise<Outcome> {
  for (const [index, step] of plan.steps.entries()) {
    if (index < from) continue;
    failpoint(`before:${index}`);
    let result: 'unchanged' | undefined;
    try {
      await journal.mark('begin', index);
      effects.progress.step(index + 1, plan.steps.length, plan.guest, describe(step));
      if (effects.interrupted()) throw new Failure('failed', `interrupted before: ${describe(step)}`);
      result = await executorOf(step).apply(step, effects, run);
      if (result !== 'unchanged') await journal.mark('end', index);
    } catch (error) {
      if (isForwardOnly(plan)) throw keptForRecovery(error, plan);
      effects.progress.detail(`failed; undoing: ${describe(step)}`);
      const [failure] = await backward(plan, index, journal, effects, run, failpoint);
      if (failure === undefined) throw error;
      effects.progress.warning(`not everything could be undone: ${messageOf(failure)}`);
      throw keptForRecovery(error, plan);
    }
    if (result === 'unchanged') {
      const [failure] = await backward(plan, index, journal, effects, run, failpoint);
      if (failure !== undefined) throw keptForRecovery(failure, plan);
      return { result, downtimeMs: undefined };
    }
    failpoint(`after:${index}`);
  }
  await journal.close();
  return { result: 'done', downtimeMs: run.downtimeMs };
}

/**
 * Undoes every step, also after one that could not be undone, or not be written to the journal: on a disk that is full or
 * read-only the guest is to be started again all the same. The journal stays then, and recovery does it once more.
 * @returns what failed
 */
async function backward(
  plan: Plan,
  from: number,
  journal: Journal,
  effects: Effects,
  run: Run,
  failpoint: Failpoint,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  const note = (error: unknown): void => void failures.push(error);
  for (let index = Math.min(from, plan.steps.length - 1); index >= 0; index--) {
    const step = plan.steps[index];
    if (step === undefined) continue;
    await journal.mark('undo', index).catch(note);
    failpoint(`undo:${index}`);
    await executorOf(step).undo?.(step, effects, run).catch(note);
  }
  if (failures.length === 0) await journal.close();
  return failures;
}

/** What recovery did with an interrupted plan. */
export type Recovery = 'finished' | 'undone' | 'nothing';

/**
 * Finishes or undoes what a kill or a power cut interrupted. The rule: once `current` was swapped the plan is
 * finished, before that it is undone; removing and cleaning up are always finished. If finishing fails, it is undone.
 */
export async function recoverGuest(
  plan: Pick<Plan, 'guest'>,
  effects: Effects,
  failpoint: Failpoint = () => undefined,
): Promise<Recovery> {
  const journal = journalOf(plan, effects);
  const interrupted = await journal.interrupted();
  if (interrupted === undefined) {
    const aside = await journal.setAside();
    if (aside !== undefined) effects.progress.warning(damagedJournal(plan.guest, aside));
    await journal.close();
    return 'nothing';
  }
  for (const step of interrupted.plan.steps) {
    if (isAction(step.action)) continue;
    throw new Failure('unsupported', `the journal names an unknown step "${String(step.action)}"`, {
      hint: 'It was written by another version of guestree; run that version once.',
    });
  }
  const run: Run = { rebooted: interrupted.bootId !== effects.bootId };
  if (shouldFinish(interrupted)) {
    await forward(interrupted.plan, interrupted.ended + 1, journal, effects, run, failpoint);
    return 'finished';
  }
  const [failure] = await backward(interrupted.plan, interrupted.begun, journal, effects, run, failpoint);
  if (failure !== undefined) throw keptForRecovery(failure, interrupted.plan);
  return 'undone';
}

function damagedJournal(guest: string | undefined, aside: string): string {
  const again = 'run the operation that was interrupted once more';
  return guest === undefined
    ? `the journal of the pool was damaged; it is kept as ${aside}: ${again}`
    : `${guest}: its journal was damaged, so that nobody knows what was under way; it is kept as ${aside}. Look at it with: guestree status ${guest}; then ${again}`;
}

export function shouldFinish({ plan, ended, undoing }: Interrupted): boolean {
  if (isForwardOnly(plan)) return true;
  const swap = plan.steps.findIndex((step) => step.action === 'swap');
  return !undoing && swap >= 0 && ended >= swap;
}

function isForwardOnly(plan: Pick<Plan, 'operation'>): boolean {
  return plan.operation === 'remove' || plan.operation === 'cleanup';
}

function journalOf(plan: Pick<Plan, 'guest'>, effects: Effects): Journal {
  const path =
    plan.guest === undefined ? `${effects.paths.state}/journal/.pool` : placesOf(effects, plan.guest).journal;
  return new Journal(path);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function keptForRecovery(error: unknown, plan: Plan): unknown {
  if (!(error instanceof Failure)) return error;
  return new Failure(error.reason, error.message, {
    cause: error,
    hint: `${error.hint ?? ''} The rest is done by the next command, or by: guestree recover`.trim(),
    ...(plan.guest === undefined ? {} : { guest: plan.guest }),
  });
}
