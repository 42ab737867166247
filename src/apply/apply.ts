import { Failure } from '../model/failure.ts';
import { planLabel } from '../plan/operations.ts';
import { statesOf } from '../plan/states.ts';
import { describe, type Action, type Plan, type Step } from '../plan/step.ts';
import { breakableBy } from '../system/run.ts';
import { placesOf, type Effects } from './effects.ts';
import { executorOf, isAction, type Run } from './executors.ts';
import { blameFullDisk, judgeFailure, tellFailure } from './failedswitch.ts';
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
 * fails, or that finds that nothing changed, makes the steps before it be undone, the last one first, down to a `keep`
 * step that has ended. The caller holds the guest's lock.
 */
export async function applyPlan(
  plan: Plan,
  effects: Effects,
  failpoint: Failpoint = () => undefined,
): Promise<Outcome> {
  statesOf(plan);
  const operation = { plan, effects, failpoint, journal: journalOf(plan, effects), run: { rebooted: false } };
  await operation.journal.open(plan, effects.bootId, effects.now().toISOString());
  return forward(operation, 0);
}

/** A plan that is under way. */
interface Operation {
  plan: Plan;
  journal: Journal;
  effects: Effects;
  run: Run;
  failpoint: Failpoint;
}

async function forward(operation: Operation, from: number): Promise<Outcome> {
  const { plan, journal, effects, run, failpoint } = operation;
  for (const [index, step] of plan.steps.entries()) {
    if (index < from) continue;
    failpoint(`before:${index}`);
    let result: 'unchanged' | undefined;
    try {
      await journal.mark('begin', index);
      effects.progress.step(index + 1, plan.steps.length, plan.guest, describe(step));
      if (effects.interruption.aborted && !isCommitted(plan, index - 1))
        throw new Failure('interrupted', `interrupted before: ${describe(step)}`);
      result = await perform(step, effects, run);
      if (result !== 'unchanged') await journal.mark('end', index);
    } catch (error) {
      throw await failed(operation, index, error);
    }
    if (result === 'unchanged') {
      const [failure] = await backward(operation, index);
      if (failure !== undefined) throw keptForRecovery(failure, plan);
      return { result, downtimeMs: undefined };
    }
    failpoint(`after:${index}`);
  }
  await journal.close();
  if (effects.interruption.aborted)
    effects.progress.warning(`${planLabel(plan)}: too late to interrupt: "${plan.operation}" was completed`);
  return { result: 'done', downtimeMs: run.downtimeMs };
}

/** Steps that may take long and are broken off by the user's signal; the others are carried to their end. */
const BREAKABLE: ReadonlySet<Action> = new Set<Action>([
  'fetch-base',
  'layer',
  'preflight',
  'start-beside',
  'check-health',
]);

async function perform(step: Step, effects: Effects, run: Run): Promise<'unchanged' | undefined> {
  const work = (): Promise<'unchanged' | undefined> => executorOf(step).apply(step, effects, run);
  return BREAKABLE.has(step.action) ? breakableBy(effects.interruption, work) : work();
}

/** What is thrown when a step failed; before that, what was done is undone. */
async function failed(operation: Operation, index: number, thrown: unknown): Promise<unknown> {
  const { plan, effects, run } = operation;
  const step = plan.steps[index];
  const error = await blameFullDisk(thrown, effects.paths.state);
  if (step === undefined) return error;
  if (isForwardOnly(plan)) return keptForRecovery(error, plan);
  effects.progress.detail(`failed; undoing: ${describe(step)}`);
  const note = (failure: unknown): undefined => {
    effects.progress.warning(`not everything could be undone: ${messageOf(failure)}`);
  };
  const verdict = effects.interruption.aborted
    ? undefined
    : await judgeFailure(plan, step, error, effects).catch(note);
  const [failure] = await backward(operation, index);
  if (verdict !== undefined) await tellFailure(verdict, effects, run).catch(note);
  if (failure === undefined) return explain(error, operation, index);
  note(failure);
  return keptForRecovery(error, plan);
}

/**
 * Undoes every step, also after one that could not be undone, or not be written to the journal: on a disk that is full or
 * read-only the guest is to be started again all the same. The journal stays then, and recovery does it once more.
 * @returns what failed
 */
async function backward(operation: Operation, from: number): Promise<unknown[]> {
  const { plan, journal, effects, run, failpoint } = operation;
  const failures: unknown[] = [];
  const note = (error: unknown): void => void failures.push(error);
  const kept = lastKept(plan, from - 1);
  for (let index = Math.min(from, plan.steps.length - 1); index > kept; index--) {
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
 * Finishes or undoes what a kill or a power cut interrupted. The rule: once a plan is committed it is finished, before
 * that it is undone; removing and cleaning up are always finished.
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
  statesOf(interrupted.plan);
  const run: Run = { rebooted: interrupted.bootId !== effects.bootId };
  const operation = { plan: interrupted.plan, effects, failpoint, journal, run };
  if (shouldFinish(interrupted)) {
    await forward(operation, interrupted.ended + 1);
    return 'finished';
  }
  const [failure] = await backward(operation, interrupted.begun);
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
  return isForwardOnly(plan) || (!undoing && isCommitted(plan, ended));
}

/**
 * Whether there is no way back after the step `ended`: the new generation is current and, where it is examined, has
 * passed. What was cut off before it could pass is taken back, because nobody knows whether it would have.
 */
function isCommitted(plan: Plan, ended: number): boolean {
  const health = plan.steps.findIndex((step) => step.action === 'check-health');
  const commit = health >= 0 ? health : plan.steps.findIndex((step) => step.action === 'swap');
  return commit >= 0 && ended >= commit;
}

/** Index of the last `keep` step up to the one that ended; -1 if there is none. */
function lastKept(plan: Plan, ended: number): number {
  return plan.steps.findLastIndex((step, index) => step.action === 'keep' && index <= ended);
}

function isForwardOnly(plan: Pick<Plan, 'operation'>): boolean {
  return plan.operation === 'remove' || plan.operation === 'cleanup';
}

function journalOf(plan: Pick<Plan, 'guest'>, effects: Effects): Journal {
  const path =
    plan.guest === undefined ? `${effects.paths.state}/journal/.pool` : placesOf(effects, plan.guest).journal;
  return new Journal(path);
}

/** The failure with what became of the plan. */
function explain(error: unknown, { plan, effects, run }: Operation, index: number): unknown {
  if (!(error instanceof Failure)) return error;
  const guest = plan.guest === undefined ? {} : { guest: plan.guest };
  if (effects.interruption.aborted) {
    const kept = lastKept(plan, index - 1) >= 0 ? '; what was built is kept' : '';
    return new Failure('interrupted', `interrupted: "${plan.operation}" was undone${kept}`, {
      cause: error,
      hint: kept === '' ? 'Nothing was changed.' : `Go on with: guestree restart ${planLabel(plan)}`,
      ...guest,
    });
  }
  const stopped = plan.steps.slice(0, index + 1).some((step) => step.action === 'stop');
  const downtime =
    stopped && run.downtimeMs !== undefined
      ? `; unavailable for ${(run.downtimeMs / 1000).toFixed(2)} s`
      : '';
  return new Failure(error.reason, `${error.message}${downtime}`, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...guest,
  });
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
