import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../lab/lab.ts';
import { stateroot } from '../../lab/sysroot.ts';
import { script, STATE } from './facts.ts';

/** The processes that are killed (see cut.sh), or the whole host. */
export type Kind = 'outer' | 'inner' | 'all' | 'power';

export interface Cut {
  /** Whether the operation had not begun, was in its middle, or was over. */
  when: 'before' | 'within' | 'after';
  /** The sentence of the step that was hit, without names and numbers. */
  step: string;
  /** Exit code, if it was over. */
  exitCode: number | undefined;
  stderr: string;
}

/** Runs guestree as a unit of the lab, and cuts it off after some seconds. */
export async function runAndCut(
  lab: Lab,
  unit: string,
  kind: Kind,
  seconds: number,
  args: readonly string[],
): Promise<Cut> {
  const { sysroot } = lab;
  if (sysroot === undefined) throw new Error('the random crash test needs a host that is booted from OSTree');
  const inLab = kind === 'power' ? 'none' : kind;
  const { stdout } = await lab.run(
    ['sh', script('cut.sh'), unit, inLab, seconds.toFixed(3), 'guestree', ...args],
    { timeout: seconds * 1000 + 60_000 },
  );
  if (kind === 'power') {
    await sleep(seconds * 1000);
    await lab.powerCut();
  }
  // Read from the machine's side: the host may be off.
  const files = path.join(sysroot, 'ostree/deploy', stateroot, 'var/tmp/crash');
  const stderr = await readFile(path.join(files, 'err'), 'utf8').catch(() => '');
  const said = await readFile(path.join(files, 'out'), 'utf8').catch(() => '');
  const step = lastStep(stderr);
  const [word = '', code] = stdout.trim().split(' ');
  if (word === 'ended') return { when: 'after', step, exitCode: Number(code), stderr };
  if (kind === 'power' && said !== '') return { when: 'after', step, exitCode: undefined, stderr };
  const begun = word === 'begun' || (await hasBegun(sysroot));
  return { when: begun && word !== 'early' ? 'within' : 'before', step, exitCode: undefined, stderr };
}

/** Progress lines are `[2/9] box: Deploy generation 4.` */
function lastStep(stderr: string): string {
  const line = stderr.split('\n').findLast((each) => /^\[\d+\/\d+\] /.test(each));
  if (line === undefined) return 'before its first step';
  return line
    .replace(/^\[\d+\/\d+\] (?:\S+: )?/, '')
    .replaceAll(/\b(?:box|two)\b/g, 'NAME')
    .replaceAll(/\d+/g, 'N');
}

/** Whether there is a journal or something in scratch. */
async function hasBegun(sysroot: string): Promise<boolean> {
  const state = path.join(sysroot, STATE.slice('/sysroot'.length));
  for (const name of ['journal', 'scratch'])
    if ((await readdir(path.join(state, name)).catch(() => [])).length > 0) return true;
  return false;
}
