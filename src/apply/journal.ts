import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { isGuestName, parseGuestName, type GuestName } from '../model/names.ts';
import type { Paths } from '../model/paths.ts';
import type { Plan, Step } from '../plan/step.ts';
import { exists, readOptional, storageFailure, syncDirectory, writeFileAtomic } from '../system/files.ts';

/**
 * What is under way on one guest. The first line holds the whole plan; each further line says that a step began or
 * ended, and is on the disk before the step is touched. A plan that ended has no journal. Room for the lines is there
 * from the start, as empty lines: a disk that is full in the middle must not keep a stopped guest from being undone.
 */
const head = z.object({
  version: z.literal(1),
  operation: z.string(),
  guest: z.string().optional(),
  startedAt: z.string(),
  /** /proc/sys/kernel/random/boot_id of the host: after a reboot nothing that was started runs any more. */
  bootId: z.string(),
  steps: z.array(z.looseObject({ action: z.string() })),
});
const mark = z.object({ event: z.enum(['begin', 'end', 'undo']), step: z.number().int().min(0) });

export interface Interrupted {
  plan: Plan;
  bootId: string;
  /** Index of the last step that began; -1 if none. */
  begun: number;
  /** Index of the last step that ended; -1 if none. */
  ended: number;
  /** Whether undoing had begun. */
  undoing: boolean;
}

/** Bytes for one line that says that a step began or ended. */
const LINE = 48;
/** Lines that a step needs: begun, ended, undone, and undone once more after a power cut. */
const LINES = 4;

export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async open(plan: Plan, bootId: string, startedAt: string): Promise<void> {
    const first = {
      version: 1,
      operation: plan.operation,
      guest: plan.guest,
      startedAt,
      bootId,
      steps: plan.steps,
    };
    const room = '\n'.repeat(plan.steps.length * LINES * LINE);
    await writeFileAtomic(this.#path, `${JSON.stringify(first)}\n${room}`, 0o600);
  }

  async mark(event: 'begin' | 'end' | 'undo', step: number): Promise<void> {
    try {
      const file = await open(this.#path, 'r+');
      try {
        const written = (await file.readFile()).toString('latin1').trimEnd().length;
        // The newline before it ends a line that a power cut left incomplete.
        await file.write(`\n${JSON.stringify({ event, step })}\n`, written);
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw storageFailure(error, this.#path);
    }
  }

  async close(): Promise<void> {
    await rm(this.#path, { force: true });
    if (await exists(dirname(this.#path))) await syncDirectory(dirname(this.#path));
  }

  /**
   * Keeps a journal that cannot be read under another name, and gives that; undefined if there is none. It was written
   * whole before anything began, so what spoiled it came from outside.
   */
  async setAside(): Promise<string | undefined> {
    if (((await readOptional(this.#path)) ?? '') === '') return undefined;
    const aside = `${this.#path}.damaged`;
    await rename(this.#path, aside);
    await syncDirectory(dirname(this.#path));
    return aside;
  }

  /** What was interrupted, or undefined. A journal that was never written whole means that nothing had begun. */
  async interrupted(): Promise<Interrupted | undefined> {
    const text = await readOptional(this.#path);
    return text === undefined ? undefined : parseJournal(text);
  }
}

/** Reads a journal; a last line that was cut by a power loss is left out: its step had not begun. */
export function parseJournal(text: string): Interrupted | undefined {
  const [first, ...rest] = text.split('\n');
  const plan = head.safeParse(parseJson(first ?? ''));
  if (!plan.success) return undefined;
  const guest = plan.data.guest === undefined ? undefined : parseGuestName(plan.data.guest);
  const interrupted: Interrupted = {
    // Written by this program from a Plan; the actions are checked where they are looked up.
    plan: { operation: plan.data.operation, guest, steps: plan.data.steps as unknown as Step[] },
    bootId: plan.data.bootId,
    begun: -1,
    ended: -1,
    undoing: false,
  };
  for (const line of rest) {
    const parsed = mark.safeParse(parseJson(line));
    if (!parsed.success) continue;
    if (parsed.data.event === 'begin') interrupted.begun = parsed.data.step;
    else if (parsed.data.event === 'end') interrupted.ended = parsed.data.step;
    else interrupted.undoing = true;
  }
  return interrupted;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The guests on which something was interrupted. */
export async function interruptedGuests(paths: Paths): Promise<GuestName[]> {
  const directory = join(paths.state, 'journal');
  if (!(await exists(directory))) return [];
  return (await readdir(directory)).filter(isGuestName);
}
