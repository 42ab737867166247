import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interruptedGuests, Journal, parseJournal, type Interrupted } from '../../../src/apply/journal.ts';
import { hostPaths } from '../../../src/model/paths.ts';
import { planUpgrade } from '../../../src/plan/operations.ts';
import type { Plan } from '../../../src/plan/step.ts';
import { writeFileAtomic } from '../../../src/system/files.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOf, unlessRefused } from '../failures.ts';
import { guestAfter } from '../plan/states.ts';

const BOOT = 'b00710ad-0000-4000-8000-000000000000';
const TIME = '2025-01-02T03:04:05.000Z';

const base = planUpgrade({ ...guestAfter(1, 2), active: true, running: 2 }, { doSwitch: true });
/** With characters of several bytes, so that some cuts go through one. */
const plan: Plan = { ...base, operation: 'upgrade “ü” 😀' };

/** The text that the journal itself writes for a plan that failed late and was undone, without the room after it. */
async function realText(): Promise<Buffer> {
  return Buffer.from(`${(await writeReal()).text.trimEnd()}\n`);
}

async function writeReal(): Promise<{ text: string; sizes: number[] }> {
  const path = join(await temporaryDirectory(), 'journal/mail');
  const journal = new Journal(path);
  await journal.open(plan, BOOT, TIME);
  const sizes = [(await stat(path)).size];
  const steps = [...plan.steps.keys()];
  for (const index of steps) {
    await journal.mark('begin', index);
    if (index < steps.length - 1) await journal.mark('end', index);
  }
  for (const index of steps.reverse()) await journal.mark('undo', index);
  sizes.push((await stat(path)).size);
  return { text: await readFile(path, 'utf8'), sizes };
}

function parse(text: string): Interrupted {
  const interrupted = parseJournal(text);
  if (interrupted === undefined) throw new Error('nothing was found in the journal');
  return interrupted;
}

describe('a journal', () => {
  test('gives back the plan and how far it came', async () => {
    const text = (await realText()).toString();
    const last = plan.steps.length - 1;
    expect(parse(text)).toEqual({ plan, bootId: BOOT, begun: last, ended: last - 1, undoing: true });
  });

  test('has room for every line from the start, so that a full disk stops nothing', async () => {
    const { sizes, text } = await writeReal();
    expect(new Set(sizes).size).toBe(1);
    expect(text.endsWith('\n\n')).toBe(true);
  });

  test('without a guest is the one of the pool', () => {
    const text = JSON.stringify({
      version: 1,
      operation: 'cleanup',
      startedAt: TIME,
      bootId: BOOT,
      steps: [],
    });
    expect(parse(text).plan).toEqual({ operation: 'cleanup', guest: undefined, steps: [] });
  });

  test('that was cut off at any byte never claims more than was written, and forgets nothing that was', async () => {
    const bytes = await realText();
    const headEnds = bytes.indexOf('\n');
    let before = { begun: -1, ended: -1, undoing: false };
    for (let length = 0; length <= bytes.length; length++) {
      const text = bytes.subarray(0, length).toString('utf8');
      const found = parseJournal(text);
      if (length < headEnds) {
        expect(found, `${length} bytes`).toBeUndefined();
        continue;
      }
      const { begun, ended, undoing } = parse(text);
      const lines = text.split('\n').slice(1);
      const whole = (mark: string): number =>
        lines.filter((line) => line.includes(mark) && line.endsWith('}')).length;
      expect({ begun, ended, undoing }, `${length} bytes`).toEqual({
        begun: whole('"begin"') - 1,
        ended: whole('"end"') - 1,
        undoing: whole('"undo"') > 0,
      });
      expect(begun).toBeGreaterThanOrEqual(before.begun);
      expect(ended).toBeGreaterThanOrEqual(before.ended);
      expect(undoing || !before.undoing).toBe(true);
      before = { begun, ended, undoing };
    }
    expect(before.undoing).toBe(true);
  });

  test('with a torn tail of zeros or anything else keeps what stands before it', async () => {
    const text = (await realText()).toString();
    const known = parse(text);
    for (const tail of [
      '\0\0\0',
      '{"event":"end","st',
      '{"event":"end"}\n',
      '{"event":"end","step":-1}\n',
      '[]\n',
      '\n\n',
    ]) {
      expect(parse(text + tail)).toEqual(known);
    }
  });

  test('of any garbage throws nothing but a failure', () => {
    const garbage = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constantFrom('{"version":1}', '\n', '{'),
    );
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 6 }), (lines) => {
        unlessRefused(() => parseJournal(lines.join('\n')));
      }),
    );
  });

  test('that names an impossible guest is refused', () => {
    const head = { version: 1, operation: 'x', guest: '../x', startedAt: TIME, bootId: BOOT, steps: [] };
    expect(failureOf(() => parseJournal(JSON.stringify(head))).reason).toBe('invalid');
  });

  test('of another version is none', () => {
    const head = { version: 2, operation: 'x', startedAt: TIME, bootId: BOOT, steps: [] };
    expect(parseJournal(JSON.stringify(head))).toBeUndefined();
  });
});

describe('the journal file', () => {
  test('is there from the first step until the plan has ended', async () => {
    const path = join(await temporaryDirectory(), 'journal/mail');
    const journal = new Journal(path);
    expect(await journal.interrupted()).toBeUndefined();
    await journal.open(plan, BOOT, TIME);
    expect(await journal.interrupted()).toMatchObject({ begun: -1, ended: -1 });
    await journal.mark('begin', 0);
    expect(await new Journal(path).interrupted()).toMatchObject({ begun: 0, ended: -1 });
    await journal.close();
    expect(await journal.interrupted()).toBeUndefined();
    await journal.close();
  });

  test('tells which guests were interrupted; half-written files, copies and the pool are no guests', async () => {
    const paths = hostPaths(await temporaryDirectory());
    expect(await interruptedGuests(paths)).toEqual([]);
    for (const name of ['mail', 'web', '.pool', '.mail.new', 'mail.bak']) {
      await writeFileAtomic(join(paths.state, 'journal', name), '');
    }
    expect((await interruptedGuests(paths)).sort()).toEqual(['mail', 'web']);
  });
});
