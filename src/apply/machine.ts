import { rm } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import type { Examined, SwitchEvent } from '../plan/state.ts';
import type { StepArguments } from '../plan/step.ts';
import { replaceSymlink } from '../system/files.ts';
import { placesOf, type Effects } from './effects.ts';
import { leadsBeside } from './beside.ts';
import { appendEvent, readEvents } from './events.ts';
import type { Executor, Run } from './executors.ts';
import { examine, type HealthReport } from './health.ts';
import { tellJournal } from './messages.ts';
import { readDefinition } from './observe.ts';
import { recallFailedUnits, rememberFailedUnits } from './preflight.ts';
import { absolve } from './quarantine.ts';
import { closeDrained, closePorts, holdAgain, isHeld, keepOpen, openPorts, releasePorts } from './ports.ts';

export const halt: Executor<StepArguments['halt']> = {
  async apply({ guest }, effects, run) {
    // With held ports clients wait since a little earlier.
    run.stoppedAt ??= performance.now();
    await effects.systemd.stop(guest);
    return undefined;
  },
};

export const boot: Executor<StepArguments['boot']> = {
  async apply({ guest }, effects, run) {
    if (run.rebooted) return undefined;
    await bringUp(effects, guest, run);
    return undefined;
  },
  undo: ({ guest }, effects, run) => takeDown(effects, guest, run),
};

/** Does nothing: that it has ended is what counts (src/apply/apply.ts). */
export const keep: Executor<StepArguments['keep']> = {
  apply: () => Promise.resolve(undefined),
};

export const stop: Executor<StepArguments['stop']> = {
  async apply({ guest }, effects, run) {
    if (run.rebooted) return undefined;
    // Clients of held ports wait already; which units were failed was remembered before that.
    if (run.stoppedAt === undefined) await rememberFailedUnits(effects, guest);
    if (await leadsBeside(guest)) run.downtimeMs = 0;
    else run.stoppedAt ??= performance.now();
    await effects.systemd.stop(guest);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    // After a reboot systemd has started what is enabled; nothing else ran before it either.
    if (run.rebooted || (await effects.systemd.isActive(guest))) return;
    await effects.systemd.start(guest);
    markReady(run);
  },
};

export const swap: Executor<StepArguments['swap']> = {
  async apply({ guest, generation }, effects) {
    const places = placesOf(effects, guest);
    await replaceSymlink(`generations/${generation}`, places.current);
    return undefined;
  },
  async undo({ guest, previous }, effects) {
    const places = placesOf(effects, guest);
    if (previous === undefined) await rm(places.current, { force: true });
    else await replaceSymlink(`generations/${previous}`, places.current);
    if (previous !== undefined) await effects.systemd.reload();
  },
};

export const start: Executor<StepArguments['start']> = {
  async apply({ guest }, effects, run) {
    if (run.rebooted) return undefined;
    const { switching } = await readDefinition(effects.paths, guest);
    await bringUp(effects, guest, run, switching.healthTimeout);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    // Perhaps by another process than the one that held the ports: clients wait for the old generation, too.
    if (!run.rebooted && (await effects.systemd.isActive(guest))) run.holds = true;
    await takeDown(effects, guest, run);
  },
};

async function bringUp(effects: Effects, guest: GuestName, run: Run, timeoutSeconds?: number): Promise<void> {
  await openPorts(effects, guest);
  await Promise.all([effects.systemd.start(guest, timeoutSeconds), closeDrained(effects, guest)]);
  await releasePorts(effects, guest);
  markReady(run);
}

async function takeDown(effects: Effects, guest: GuestName, run: Run): Promise<void> {
  if (run.rebooted) return;
  if (await leadsBeside(guest)) await keepOpen(guest);
  else if (run.holds === true) await holdAgain(effects, guest);
  await effects.systemd.stop(guest);
  if (!(await isHeld(guest))) await closePorts(effects, guest);
}

export const checkHealth: Executor<StepArguments['check-health']> = {
  async apply({ guest, generation, verdict }, effects, run) {
    if (run.rebooted) return undefined;
    const { switching, checks } = await readDefinition(effects.paths, guest);
    run.health = await examine(effects, {
      guest,
      machine: guest,
      phase: 'health',
      tolerated: await recallFailedUnits(effects, guest),
      checks,
      timeout: switching.healthTimeout,
      settle: verdict === 'told' ? 0 : switching.settle,
    });
    for (const each of run.health.checks) {
      if (each.passed || !each.wanted) continue;
      effects.progress.warning(`${guest}: the wanted check "${each.name}" failed: ${each.message ?? ''}`);
    }
    const { why } = run.health;
    if (why === undefined) return undefined;
    if (verdict === 'told') {
      effects.progress.warning(`${guest}: generation ${generation} is not healthy: ${why}`);
      return undefined;
    }
    throw new Failure('unhealthy', `generation ${generation} is not healthy: ${why}`, {
      guest,
      hint: `The generation before runs again. See: guestree status ${guest}`,
    });
  },
};

export const settle: Executor<StepArguments['settle']> = {
  async apply({ guest, generation, previous, reason, unproven }, effects, run) {
    const path = placesOf(effects, guest).events;
    const last = (await readEvents(path)).at(-1);
    const told = last?.failed === undefined && last?.generation === generation;
    if (told && last.reason === reason && last.previous === previous) return undefined;
    const event = { generation, previous, reason, unproven };
    await record(effects, guest, run, event);
    await absolve(effects, guest, generation);
    if (previous !== undefined) {
      await tellJournal(effects, 'switched', {
        guest,
        generation,
        previous,
        text: `${guest} is on generation ${generation}, before ${previous} (${reason})`,
        downtimeMs: run.downtimeMs,
      });
    }
    return undefined;
  },
};

/** Writes a line to the guest's event log. */
export async function record(
  effects: Effects,
  guest: GuestName,
  run: Run,
  event: Omit<SwitchEvent, 'time' | 'downtimeMs' | 'preflight' | 'health'>,
): Promise<void> {
  await appendEvent(placesOf(effects, guest).events, {
    time: effects.now().toISOString(),
    ...event,
    downtimeMs: run.downtimeMs,
    preflight: examinedOf(run.preflight),
    health: examinedOf(run.health),
  });
}

function examinedOf(report: HealthReport | undefined): Examined | undefined {
  if (report === undefined) return undefined;
  const checks = report.checks.map(({ name, wanted, passed, message }) => ({
    name,
    wanted,
    passed,
    message,
  }));
  return { passed: report.passed, milliseconds: report.milliseconds, checks };
}

function markReady(run: Run): void {
  if (run.stoppedAt !== undefined) run.downtimeMs = Math.round(performance.now() - run.stoppedAt);
}
