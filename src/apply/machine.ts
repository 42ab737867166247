import { rm } from 'node:fs/promises';
import type { StepArguments } from '../plan/step.ts';
import { replaceSymlink } from '../system/files.ts';
import { placesOf } from './effects.ts';
import { appendEvent, readEvents } from './events.ts';
import type { Executor } from './executors.ts';

export const halt: Executor<StepArguments['halt']> = {
  async apply({ guest }, effects, run) {
    run.stoppedAt = performance.now();
    await effects.systemd.stop(guest);
    return undefined;
  },
};

export const stop: Executor<StepArguments['stop']> = {
  async apply({ guest }, effects, run) {
    if (run.rebooted) return undefined;
    run.stoppedAt = performance.now();
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
    await effects.systemd.start(guest);
    if (run.stoppedAt !== undefined) run.downtimeMs = Math.round(performance.now() - run.stoppedAt);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    if (!run.rebooted) await effects.systemd.stop(guest);
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
