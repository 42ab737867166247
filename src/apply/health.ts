import type { Check } from '../model/check.ts';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { Inside } from '../system/inside.ts';
import { probeArgv } from '../system/probes.ts';
import { listChecks, runHostCheck, type CheckDirectory } from './checkfiles.ts';
import type { Effects } from './effects.ts';

/** What came of one check. */
export interface CheckResult {
  name: string;
  wanted: boolean;
  passed: boolean;
  tries: number;
  milliseconds: number;
  /** Why it failed, in the words of what was asked. */
  message: string | undefined;
}

export interface HealthReport {
  passed: boolean;
  /** Units that failed and did not before. */
  failedUnits: string[];
  checks: CheckResult[];
  milliseconds: number;
  /** Why it did not pass, as one sentence; undefined if it passed. */
  why: string | undefined;
}

export interface Examination {
  guest: GuestName;
  /** Name of the machine that is examined: the guest itself, or its preflight. */
  machine: string;
  phase: 'preflight' | 'health';
  /** Units that were failed before, and may be so again. */
  tolerated: readonly string[];
  checks: readonly Check[];
  /** Seconds until every check has passed once. */
  timeout: number;
  /** Seconds for which they must go on passing. */
  settle: number;
}

/** Examines a machine that has said that it is ready. */
export async function examine(effects: Effects, examination: Examination): Promise<HealthReport> {
  const begun = performance.now();
  const { machine, tolerated, timeout, settle } = examination;
  const leader = await effects.systemd.leader(machine);
  const finish = (report: Omit<HealthReport, 'milliseconds' | 'passed'>): HealthReport => ({
    ...report,
    passed: report.why === undefined,
    milliseconds: Math.round(performance.now() - begun),
  });
  if (leader === undefined)
    return finish({ failedUnits: [], checks: [], why: 'it ended right after it was ready' });
  const inside = new Inside(effects.runner, leader);
  const asked = await questions(effects, examination, inside);

  const deadline = begun + timeout * 1000;
  const results = new Map<string, CheckResult>();
  const failing = async (): Promise<{ failedUnits: string[]; why: string | undefined }> => {
    if ((await effects.systemd.leader(machine)) !== leader)
      return { failedUnits: [], why: 'it stopped running' };
    const failedUnits = (await inside.failedUnits()).filter((unit) => !tolerated.includes(unit));
    return { failedUnits, why: await tellFailed(inside, failedUnits) };
  };
  const everything = async (): Promise<{ failedUnits: string[]; why: string | undefined }> => {
    const units = await failing();
    if (units.why !== undefined) return units;
    const found = await Promise.all(asked.map((question) => question(deadline)));
    for (const result of found) results.set(result.name, result);
    const bad = found.find((each) => !each.passed && !each.wanted);
    return {
      failedUnits: [],
      why: bad && `the check "${bad.name}" failed: ${bad.message ?? 'no reason given'}`,
    };
  };

  let verdict = await everything();
  const settled = performance.now() + settle * 1000;
  while (verdict.why === undefined && performance.now() < settled) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, settled - performance.now())));
    if (effects.interruption.aborted)
      throw new Failure('interrupted', 'interrupted while the health was watched');
    verdict = await everything();
  }
  return finish({ ...verdict, checks: [...results.values()] });
}

type Question = (deadline: number) => Promise<CheckResult>;

/** The declared checks, and the executables that the administrator and the guest's tree have put in place. */
async function questions(effects: Effects, examination: Examination, inside: Inside): Promise<Question[]> {
  const { checks, phase, guest, machine } = examination;
  const declared = checks
    .filter((check) => phase === 'health' || check.preflight)
    .map(
      (check): Question =>
        (deadline) =>
          tryCheck(check, deadline, () => ask(check, inside)),
    );
  const directories: CheckDirectory[] = phase === 'health' ? ['required.d', 'wanted.d'] : ['preflight.d'];
  const found = await listChecks(guest, directories, inside);
  const executables = found.map(({ name, wanted, where, path }): Question => {
    const settings = { name, wanted, timeout: 120, retries: 0, interval: 0 };
    const run = (): Promise<string | undefined> =>
      where === 'guest'
        ? outcome(inside.run([path], settings.timeout))
        : outcome(runHostCheck(effects.runner, path, { guest, machine, phase }, settings.timeout));
    return (deadline) => tryCheck(settings, deadline, run);
  });
  return [...declared, ...executables];
}

/** @returns why it failed, or undefined */
function ask({ probe, timeout }: Check, inside: Inside): Promise<string | undefined> {
  switch (probe.kind) {
    case 'exec':
      return outcome(inside.run(['/bin/sh', '-c', probe.command], timeout));
    case 'tcp':
      return outcome(inside.runInNetwork(probeArgv('tcp', String(probe.port)), timeout));
    case 'http':
      return outcome(inside.runInNetwork(probeArgv('http', probe.url), timeout));
  }
}

async function outcome(
  running: Promise<{ exitCode: number; stdout: string; stderr: string }>,
): Promise<string | undefined> {
  try {
    const { exitCode, stdout, stderr } = await running;
    if (exitCode === 0) return undefined;
    const last = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
    return last === '' ? `exit code ${exitCode}` : last.slice(0, 300);
  } catch (error) {
    if (error instanceof Failure && error.reason === 'failed') return error.message;
    throw error;
  }
}

async function tryCheck(
  check: Pick<Check, 'name' | 'wanted' | 'retries' | 'interval'>,
  deadline: number,
  run: () => Promise<string | undefined>,
): Promise<CheckResult> {
  const begun = performance.now();
  let message: string | undefined;
  let tries = 0;
  for (;;) {
    tries++;
    message = await run();
    const next = performance.now() + check.interval * 1000;
    if (message === undefined || tries > check.retries || next > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, check.interval * 1000));
  }
  const milliseconds = Math.round(performance.now() - begun);
  return {
    name: check.name,
    wanted: check.wanted,
    passed: message === undefined,
    tries,
    milliseconds,
    message,
  };
}

async function tellFailed(inside: Inside, units: readonly string[]): Promise<string | undefined> {
  const [first, ...more] = units;
  if (first === undefined) return undefined;
  const log = (await inside.lastLog(first)).split('\n').at(-1) ?? '';
  const others = more.length === 0 ? '' : ` (and ${more.join(', ')})`;
  return `the unit ${first}${others} failed${log === '' ? '' : `: ${log}`}`;
}
