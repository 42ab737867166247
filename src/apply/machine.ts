import { rm } from 'node:fs/promises';
import type { StepArguments } from '../plan/step.ts';
import { replaceSymlink } from '../system/files.ts';
import { placesOf } from './effects.ts';
import { appendEvent, readEvents } from './events.ts';
import type { Executor } from './executors.ts';
import { closeDrained, closePorts, holdAgain, isHeld, openPorts, releasePorts } from './ports.ts';

export const halt: Executor<StepArguments['halt']> = {
  async apply({ guest }, effects, run) {
    // With held ports clients wait since a little earlier.
    run.stoppedAt ??= performance.now();
    await effects.systemd.stop(guest);
    return undefined;
  },
};

export const stop: Executor<StepArguments['stop']> = {
  async apply({ guest }, effects, run) {
    if (run.rebooted) return undefined;
    run.stoppedAt ??= performance.now();
    await effects.systemd.stop(guest);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    // After a reboot systemd has started what is enabled; nothing else ran before it either.
    if (!run.rebooted && !(await effects.systemd.isActive(guest))) await effects.systemd.start(guest);
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
    await openPorts(effects, guest);
    await Promise.all([effects.systemd.start(guest), closeDrained(effects, guest)]);
    await releasePorts(effects, guest);
    if (run.stoppedAt !== undefined) run.downtimeMs = Math.round(performance.now() - run.stoppedAt);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    if (run.rebooted) return;
    if (run.holds === true) await holdAgain(effects, guest);
    await effects.systemd.stop(guest);
    if (!(await isHeld(guest))) await closePorts(effects, guest);
  },
};

export const settle: Executor<StepArguments['settle']> = {
  async apply({ guest, generation, previous, reason }, effects, run) {
    const path = placesOf(effects, guest).events;
    const last = (await readEvents(path)).at(-1);
    if (last?.generation === generation && last.reason === reason && last.previous === previous)
      return undefined;
    await appendEvent(path, {
      time: effects.now().toISOString(),
      generation,
      previous,
      reason,
      downtimeMs: run.downtimeMs,
    });
    return undefined;
  },
};
