import type { Action, Step, StepArguments } from '../plan/step.ts';
import { adoptData, adoptTree } from './adoption.ts';
import { movePort, startBeside, stopBeside } from './beside.ts';
import { deploy, mergeEtc, prune, render, retire } from './deployment.ts';
import type { Effects } from './effects.ts';
import { clearWindow, closeWindow, openWindow, restageHost, seedWindow } from './guard.ts';
import { define, link, prepareHost, redefine, reload } from './host.ts';
import { boot, checkHealth, halt, keep, settle, start, stop, swap } from './machine.ts';
import type { HealthReport } from './health.ts';
import { preflight } from './preflight.ts';
import { deleteGuest, keepData, unlink } from './removal.ts';
import { holdPorts, setPorts } from './ports.ts';
import { keepRpms } from './rpms.ts';
import { fetchBase, layer, makeSysroot } from './trees.ts';

/** Facts of one run that later steps of the same run use and that may be lost in a crash. */
export interface Run {
  /** When the guest was told to stop, in milliseconds of a monotonic clock. */
  stoppedAt?: number;
  downtimeMs?: number;
  /** What the preflight and the checks after the switch found. */
  preflight?: HealthReport;
  health?: HealthReport;
  /** Whether clients of the guest's held ports wait when it is stopped for this plan. */
  holds?: boolean;
  /** Lets go of the guard window's locks; set while this process holds them. */
  window?: () => Promise<void>;
  /** Whether the host was rebooted since the plan began: then systemd decides what runs. */
  rebooted: boolean;
}

export interface Executor<Arguments> {
  /** May be called again after it ended or was cut off. `unchanged` ends the plan, which is then undone. */
  apply(args: Arguments, effects: Effects, run: Run): Promise<'unchanged' | undefined>;
  /**
   * Takes it back, wherever it was cut off; may be called again. Without it there is nothing to take back: the step
   * leaves only what is harmless and is used by the next try.
   */
  undo?(args: Arguments, effects: Effects, run: Run): Promise<void>;
}

/** A total map: a step without an executor does not compile. */
const EXECUTORS: { [A in Action]: Executor<StepArguments[A]> } = {
  'prepare-host': prepareHost,
  'make-sysroot': makeSysroot,
  'fetch-base': fetchBase,
  'keep-rpms': keepRpms,
  layer,
  'open-window': openWindow,
  'seed-window': seedWindow,
  'clear-window': clearWindow,
  'restage-host': restageHost,
  'close-window': closeWindow,
  'adopt-tree': adoptTree,
  'adopt-data': adoptData,
  deploy,
  render,
  define,
  redefine,
  keep,
  preflight,
  boot,
  'start-beside': startBeside,
  'move-ports': movePort,
  'stop-beside': stopBeside,
  'hold-ports': holdPorts,
  'set-ports': setPorts,
  halt,
  stop,
  'merge-etc': mergeEtc,
  swap,
  link,
  reload,
  start,
  'check-health': checkHealth,
  settle,
  retire,
  prune,
  unlink,
  'keep-data': keepData,
  'delete-guest': deleteGuest,
};

export function executorOf(step: Step): Executor<Step> {
  // The compiler cannot relate a step's action to the executor's arguments; the map's type does.
  return EXECUTORS[step.action] as unknown as Executor<Step>;
}

export function isAction(action: string): action is Action {
  return Object.hasOwn(EXECUTORS, action);
}
