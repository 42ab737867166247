import { expect } from 'vitest';
import type { Lab, Output } from '../lab/lab.ts';
import { stateroot } from '../lab/sysroot.ts';
import { BOUNDARIES, nameOf, type Boundary, type Cell, type Event } from './cells.ts';
import {
  afterBoot,
  bringInto,
  expectClean,
  GUEST,
  needsRepair,
  otherVersion,
  readChoice,
  repair,
  updateRef,
  type HostChoice,
} from './host.ts';

const HOOKS = '/run/rpm-ostree-stand-in';

/** Runs one cell and leaves the host with nothing staged and the guest on generation 1. */
export async function runCell(lab: Lab, { state, event }: Cell): Promise<void> {
  await bringInto(lab, state);
  if (needsRepair(state)) await repair(lab, state);
  const before = await readChoice(lab);
  const update = await otherVersion(lab);
  const generation = await currentGeneration(lab);
  const output = await happen(lab, event, update);

  if (event.kind === 'success') {
    expect(output.exitCode, output.stderr).toBe(0);
    expect(await readChoice(lab)).toEqual(before);
    expect(await installed(lab)).toContain('hello');
    await expectClean(lab);
  } else {
    expect(output.exitCode, output.stderr).not.toBe(0);
    expect(output.stderr).not.toMatch(/this is a bug/);
  }
  if (event.kind === 'package failure') {
    expect(await readChoice(lab)).toEqual(before);
    await expectClean(lab);
  }

  await restart(lab, event, before);
  const after = await readChoice(lab);
  expect(after.version, 'the host that booted').toBe(expectedVersion(event, before, update));
  expect(after.refs).toEqual(before.refs);
  if (after.version === before.version) expect(after.menu).toEqual(before.menu);
  else expect(after.menu[1], 'the entry to go back to').toBe(before.menu[0]);
  expect(
    after.menu.every((entry) => entry.startsWith(`${stateroot}/`)),
    after.menu.join(' '),
  ).toBe(true);
  await expectClean(lab);
  if (event.kind === 'success') expect(await currentGeneration(lab)).toBeGreaterThan(generation);
  else expect(await currentGeneration(lab)).toBe(generation);
  await reset(lab);
}

/** The event, and what guestree said. */
async function happen(lab: Lab, event: Event, update: number): Promise<Output> {
  const install = async (name: string, failpoint?: string): Promise<Output> =>
    lab.run(['guestree', 'install', GUEST, name], {
      check: false,
      timeout: 300_000,
      env: failpoint === undefined ? {} : { GUESTREE_FAILPOINT: failpoint },
    });
  switch (event.kind) {
    case 'success':
      return install('hello');
    case 'package failure':
      return install('broken');
    case 'kill':
    case 'power cut':
      return install('hello', await failpoint(lab, event.before));
    case 'staged meanwhile': {
      const stage = `ostree admin deploy --stage --os=${stateroot} ${updateRef(lab, update)}`;
      await lab.run(['mkdir', '-p', HOOKS]);
      await lab.writeFile(`${HOOKS}/${event.when}`, `#!/bin/sh\n${stage} >/dev/null\n`, 0o755);
      const output = await install('hello');
      await lab.run(['rm', '-r', HOOKS]);
      return output;
    }
  }
}

/** The boundary as guestree counts steps, from what `--dry-run` prints. */
export async function failpoint(lab: Lab, boundary: Boundary): Promise<string> {
  const { stdout } = await lab.run(['guestree', 'install', GUEST, 'hello', '--dry-run']);
  const steps = stdout.split('\n');
  const first = steps.findIndex((line) => line.includes("Save the host's staged deployment"));
  const last = steps.findIndex((line) => line.includes('Forget what was saved of the host'));
  expect(last - first, stdout).toBe(BOUNDARIES.length - 2);
  const index = first + BOUNDARIES.indexOf(boundary);
  return `before:${index}`;
}

/** Whether what the host had staged was in guestree's hands when the power went. */
function wasOpen(event: Event): boolean {
  return event.kind === 'power cut' && event.before !== 'open' && event.before !== 'end';
}

/**
 * An orderly reboot, without any guestree command before it. After a power cut ostree itself has forgotten what was
 * staged (it is in /run); what was in guestree's hands is staged again at boot, and the reboot after that applies it.
 */
async function restart(lab: Lab, event: Event, before: HostChoice): Promise<void> {
  if (event.kind === 'power cut') {
    await lab.powerCut();
    await lab.boot();
    const booted = await readChoice(lab);
    expect(booted.version, 'after the power cut').toBe(before.version);
    if (wasOpen(event)) {
      await lab.run(['systemctl', 'start', 'guestree-recover.service'], { timeout: 120_000 });
      const again = await readChoice(lab);
      expect(again.staged, 'staged again').toBe(before.staged);
      expect(again.locked).toBe(before.locked);
    }
  }
  await lab.reboot();
  await lab.run(['systemctl', 'start', 'guestree-recover.service'], { timeout: 120_000 });
  await afterBoot(lab);
}

function expectedVersion(event: Event, before: HostChoice, update: number): number {
  // Somebody else's update is newer than what was saved, and not locked.
  if (event.kind === 'staged meanwhile') return update;
  if (before.staged === '' || before.locked) return before.version;
  if (event.kind === 'power cut' && !wasOpen(event)) return before.version;
  return update;
}

async function currentGeneration(lab: Lab): Promise<number> {
  const { stdout } = await lab.run(['guestree', 'status', GUEST, '--json']);
  const { guests } = JSON.parse(stdout) as { guests: { generation: number }[] };
  return guests[0]?.generation ?? 0;
}

async function installed(lab: Lab): Promise<string[]> {
  const { stdout } = await lab.run(['guestree', 'history', GUEST, '--json']);
  const { generations } = JSON.parse(stdout) as { generations: { requested: string[]; flags: string[] }[] };
  return generations.find((each) => each.flags.includes('current'))?.requested ?? [];
}

async function reset(lab: Lab): Promise<void> {
  // A locked update that was given back after a kill is still staged, as it should be.
  const { staged } = await readChoice(lab);
  if (staged !== '') await lab.run(['ostree', 'admin', 'undeploy', '0']);
  await lab.run(['rm', '-f', '/run/ostree/staged-deployment-locked']);
  if ((await currentGeneration(lab)) !== 1) await lab.run(['guestree', 'rollback', GUEST, '1']);
  await lab.run(['guestree', 'cleanup', GUEST, '--keep', '0'], { check: false });
}

/** The table that the test prints: a line for each event, a column for each state. */
export function renderMatrix(
  results: ReadonlyMap<string, 'green' | 'red'>,
  states: readonly string[],
  events: readonly Event[],
): string {
  const width = Math.max(...events.map((event) => nameOf(event).length));
  const head = `${' '.repeat(width)}  ${states.join(' | ')}`;
  const lines = events.map((event) => {
    const cells = states.map((state) => {
      const result = results.get(`${state}/${nameOf(event)}`) ?? '-';
      return result.padEnd(state.length);
    });
    return `${nameOf(event).padEnd(width)}  ${cells.join(' | ')}`;
  });
  return [head, ...lines].join('\n');
}
