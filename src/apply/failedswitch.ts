import { statfs } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import type { Quarantine } from '../model/quarantine.ts';
import type { Plan, Step } from '../plan/step.ts';
import type { Effects } from './effects.ts';
import type { Run } from './executors.ts';
import { record } from './machine.ts';
import { tellJournal } from './messages.ts';
import { quarantine } from './quarantine.ts';

/** A switch that failed because of the new generation. */
export interface FailedSwitch {
  guest: GuestName;
  generation: number;
  previous: number | undefined;
  reason: string;
  phase: Quarantine['phase'];
  why: string;
}

/** What a guest needs to boot; below that nothing is said about a generation that does not. Bytes. */
const ROOM = 4 * 1024 * 1024;

/**
 * A guest cannot run well on a disk that is full: then that is the reason, and not the new generation.
 * @param directory on the file system that the guest's /var is on
 */
export async function blameFullDisk(error: unknown, directory: string): Promise<unknown> {
  if (!(error instanceof Failure) || !['unhealthy', 'start-failed'].includes(error.reason)) return error;
  // What is left for everybody: the guest's root user is not the host's, and may not use what ext4 keeps for that one.
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= ROOM) return error;
  return new Failure('storage', `no space left on the device that holds ${directory}: ${error.message}`, {
    cause: error,
    hint: 'Make space (guestree cleanup, df -h), then run the same command again.',
    ...(error.guest === undefined ? {} : { guest: error.guest }),
  });
}

/**
 * Whether a step failed because of the generation that is switched to, which then goes into quarantine: at once, so that
 * it is there when the guest is back.
 */
export async function judgeFailure(
  plan: Plan,
  step: Step,
  error: unknown,
  effects: Effects,
): Promise<FailedSwitch | undefined> {
  const phase = phaseOf(step, error);
  const settle = plan.steps.find((each) => each.action === 'settle');
  if (phase === undefined || settle === undefined || !(error instanceof Failure)) return undefined;
  const { guest, generation, previous, reason } = settle;
  const why = withoutPrefix(error.message);
  // What the user went back to is not forbidden to him.
  if (reason !== 'rollback') await quarantine(effects, guest, { generation, phase, why });
  return { guest, generation, previous, reason, phase, why };
}

function phaseOf({ action }: Step, error: unknown): Quarantine['phase'] | undefined {
  if (!(error instanceof Failure)) return undefined;
  if (action === 'preflight' && error.reason === 'unhealthy') return 'preflight';
  if (action === 'check-health' && error.reason === 'unhealthy') return 'health';
  if (action === 'start-beside' && (error.reason === 'unhealthy' || error.reason === 'start-failed'))
    return 'health';
  if (action === 'start' && error.reason === 'start-failed') return 'start';
  return undefined;
}

function withoutPrefix(message: string): string {
  return message.replace(/^generation \d+ (?:failed its preflight|is not healthy): /, '');
}

/** After it was taken back: a line in the guest's event log, and an entry in the host's journal. */
export async function tellFailure(failed: FailedSwitch, effects: Effects, run: Run): Promise<void> {
  const { guest, generation, previous, reason, phase, why } = failed;
  await record(effects, guest, run, { generation, previous, reason, failed: phase, why });
  const untouched = phase === 'preflight';
  await tellJournal(effects, untouched ? 'preflight-failed' : 'rolled-back', {
    guest,
    generation,
    previous,
    text: untouched
      ? `${guest}: generation ${generation} failed its preflight and was not switched to: ${why}`
      : `${guest}: generation ${generation} failed and generation ${previous ?? 0} is back: ${why}`,
    downtimeMs: run.downtimeMs,
  });
}
