import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyPlan, recoverGuest, type Failpoint } from '../../../src/apply/apply.ts';
import { placesOf, type Effects } from '../../../src/apply/effects.ts';
import { readEvents } from '../../../src/apply/events.ts';
import { Journal } from '../../../src/apply/journal.ts';
import type { Plan, Step } from '../../../src/plan/step.ts';
import { exists, readLinkOptional, readOptional } from '../../../src/system/files.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';
import { mail } from '../plan/states.ts';
import { effectsIn } from './effects.ts';

/** Steps that only touch files: each leaves something, and each can be undone. */
const plan: Plan = {
  operation: 'rebase',
  guest: mail,
  steps: [
    { action: 'redefine', guest: mail, text: '[Guest]\n', before: '' },
    { action: 'swap', guest: mail, generation: 1, previous: undefined },
    {
      ...{ action: 'settle', guest: mail, generation: 1, previous: undefined },
      ...{ reason: 'rebase', unproven: undefined },
    },
  ],
};

interface Left {
  definition: boolean;
  current: string | undefined;
  events: number;
  journal: boolean;
}

const NOTHING: Left = { definition: false, current: undefined, events: 0, journal: false };
const EVERYTHING: Left = { definition: true, current: 'generations/1', events: 1, journal: false };

async function fresh(changes: Partial<Effects> = {}): Promise<Effects> {
  const effects = effectsIn(await temporaryDirectory(), changes);
  await mkdir(placesOf(effects, mail).generations, { recursive: true });
  return effects;
}

async function observe(effects: Effects): Promise<Left> {
  const places = placesOf(effects, mail);
  return {
    definition: ((await readOptional(places.definition)) ?? '') !== '',
    current: await readLinkOptional(places.current),
    events: (await readEvents(places.events)).length,
    journal: await exists(places.journal),
  };
}

/** The user's signal arrives before a step. */
function interruptedBefore(step: number): Pick<Effects, 'interruption' | 'progress'> {
  const controller = new AbortController();
  return {
    interruption: controller.signal,
    progress: {
      step: (index) => {
        if (index === step + 1) controller.abort();
      },
      detail: () => undefined,
      warning: () => undefined,
    },
  };
}

class PowerCut extends Error {}

/** The power goes when the program comes to a point. */
const cutAt =
  (wanted: string): Failpoint =>
  (point) => {
    if (point === wanted) throw new PowerCut(point);
  };

async function untilCut(work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toBeInstanceOf(PowerCut);
}

describe('a plan', () => {
  test('is applied step by step and leaves no journal', async () => {
    const effects = await fresh();
    expect(await applyPlan(plan, effects)).toEqual({ result: 'done', downtimeMs: undefined });
    expect(await observe(effects)).toEqual(EVERYTHING);
  });

  test('tells each step before it is touched', async () => {
    const told: string[] = [];
    const step = (index: number, count: number, guest: string | undefined, sentence: string): void =>
      void told.push(`${index}/${count} ${guest ?? ''}: ${sentence}`);
    await applyPlan(
      plan,
      await fresh({ progress: { step, detail: () => undefined, warning: () => undefined } }),
    );
    expect(told).toEqual([
      '1/3 mail: Change the source in the definition /etc/guestree/mail.guest.',
      '2/3 mail: Make generation 1 current for mail.',
      '3/3 mail: Record the switch to generation 1.',
    ]);
  });

  test.each([0, 1])('that the user interrupts before step %d is undone, and says so', async (step) => {
    const effects = await fresh(interruptedBefore(step));
    const failure = await failureOfLater(applyPlan(plan, effects));
    expect(failure).toMatchObject({ reason: 'interrupted', message: 'interrupted: "rebase" was undone' });
    expect(await observe(effects)).toEqual(NOTHING);
  });

  test('that the user interrupts after the swap is completed, and says so', async () => {
    const warnings: string[] = [];
    const { interruption, progress } = interruptedBefore(2);
    const warning = (text: string): void => void warnings.push(text);
    const effects = await fresh({ interruption, progress: { ...progress, warning } });
    expect(await applyPlan(plan, effects)).toMatchObject({ result: 'done' });
    expect(await observe(effects)).toEqual(EVERYTHING);
    expect(warnings).toEqual([expect.stringMatching(/too late to interrupt: "rebase" was completed/)]);
  });

  test('that is no path through the state machine is refused before its first step', async () => {
    const effects = await fresh();
    const steps = plan.steps.toReversed();
    await expect(applyPlan({ ...plan, steps }, effects)).rejects.toThrow(/not possible from "settled"/);
    expect(await observe(effects)).toEqual(NOTHING);
  });

  test('without steps is done', async () => {
    expect(await applyPlan({ ...plan, steps: [] }, await fresh())).toMatchObject({ result: 'done' });
  });

  test('that removes something is kept for recovery when it fails, and then finished', async () => {
    const effects = await fresh(interruptedBefore(0));
    const failure = await failureOfLater(applyPlan({ ...plan, operation: 'remove' }, effects));
    expect(failure.hint).toContain('guestree recover');
    expect(failure.guest).toBe('mail');
    expect((await observe(effects)).journal).toBe(true);
    expect(await recoverGuest(plan, { ...effects, interruption: new AbortController().signal })).toBe(
      'finished',
    );
    expect(await observe(effects)).toEqual(EVERYTHING);
  });
});

describe('after a power cut', () => {
  const points = plan.steps.flatMap((_, index) => [`before:${index}`, `after:${index}`]);

  test.each(points)('at %s the next command leaves everything or nothing', async (point) => {
    const effects = await fresh();
    await untilCut(applyPlan(plan, effects, cutAt(point)));
    expect((await observe(effects)).journal).toBe(true);
    const swapped = ['after:1', 'before:2', 'after:2'].includes(point);
    expect(await recoverGuest(plan, effects)).toBe(swapped ? 'finished' : 'undone');
    expect(await observe(effects)).toEqual(swapped ? EVERYTHING : NOTHING);
    expect(await recoverGuest(plan, effects)).toBe('nothing');
  });

  test.each(['undo:1', 'undo:0'])('and another one at %s it is still undone', async (point) => {
    const effects = await fresh();
    await untilCut(applyPlan(plan, effects, cutAt('before:1')));
    // The first cut was before step 1 began, so step 0 is the last one to undo.
    if (point === 'undo:0') await untilCut(recoverGuest(plan, effects, cutAt(point)));
    expect(await recoverGuest(plan, effects)).toBe('undone');
    expect(await observe(effects)).toEqual(NOTHING);
  });

  test('in the middle of undoing a failure after the swap, the swap is not finished after all', async () => {
    const effects = await fresh();
    // A directory in the place of the event log makes the last step fail.
    await mkdir(placesOf(effects, mail).events);
    await untilCut(applyPlan(plan, effects, cutAt('undo:1')));
    await rmdir(placesOf(effects, mail).events);
    expect(await recoverGuest(plan, effects)).toBe('undone');
    expect(await observe(effects)).toEqual(NOTHING);
  });

  test('a journal with a step that this version does not know is refused and kept', async () => {
    const effects = await fresh();
    const steps = [{ action: 'teleport', guest: mail }] as unknown as Step[];
    await new Journal(placesOf(effects, mail).journal).open({ ...plan, steps }, 'x', 'now');
    const failure = await failureOfLater(recoverGuest(plan, effects));
    expect(failure.reason).toBe('unsupported');
    expect(failure.message).toContain('"teleport"');
    expect((await observe(effects)).journal).toBe(true);
  });

  test('a journal that was never written whole means that nothing had begun', async () => {
    const effects = await fresh();
    const { journal } = placesOf(effects, mail);
    await mkdir(join(journal, '..'), { recursive: true });
    await writeFile(journal, '\n{"event":"begin","step":0}\n');
    expect(await recoverGuest(plan, effects)).toBe('nothing');
    expect(await readOptional(journal)).toBeUndefined();
  });
});
