import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories, readLinkOptional, readOptional, writeFileAtomic } from '../system/files.ts';
import { CommandFailure } from '../system/run.ts';
import { Inside } from '../system/inside.ts';
import { tellStartFailure } from '../system/startfailure.ts';
import { PREFLIGHT_SCRATCH, preflightArgv, preflightMachine, preflightUnit } from '../units/preflight.ts';
import { placesOf, sysrootOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { examine, type HealthReport } from './health.ts';
import { readDefinition } from './observe.ts';

export const preflight: Executor<StepArguments['preflight']> = {
  async apply({ guest, generation }, effects, run) {
    const tolerated = await rememberFailedUnits(effects, guest);
    const begun = performance.now();
    try {
      run.preflight = await fly(effects, guest, generation, tolerated);
    } finally {
      await land(effects, guest);
    }
    run.preflight = { ...run.preflight, milliseconds: Math.round(performance.now() - begun) };
    if (run.preflight.why === undefined) return undefined;
    throw new Failure('unhealthy', `generation ${generation} failed its preflight: ${run.preflight.why}`, {
      guest,
      hint: `The running guest was not touched. See: guestree status ${guest}`,
    });
  },
  async undo({ guest }, effects) {
    await land(effects, guest);
  },
};

async function fly(
  effects: Effects,
  guest: GuestName,
  generation: number,
  tolerated: readonly string[],
): Promise<HealthReport> {
  await land(effects, guest);
  const places = placesOf(effects, guest);
  const { switching, checks } = await readDefinition(effects.paths, guest);
  const begun = performance.now();
  const throughAlias = (path: string): string =>
    `${effects.paths.alias}${path.slice(effects.paths.state.length)}`;
  const scratch = join(places.scratch, 'preflight');
  for (const directory of PREFLIGHT_SCRATCH) await makeDirectories(join(scratch, directory));
  const root = await readLinkOptional(join(places.generations, String(generation), 'root'));
  if (root === undefined)
    throw new Failure('not-found', `generation ${generation} has no deployment`, { guest });
  const [program = '', ...args] = preflightArgv({
    guest,
    generation,
    root,
    variable: throughAlias(sysrootOf(effects, guest).variable(guest)),
    scratch: throughAlias(scratch),
    timeout: Math.max(1, Math.ceil(switching.preflightTimeout)),
  });
  try {
    await effects.runner.run(program, args);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const why = tellStartFailure(await effects.systemd.lastLog(preflightUnit(guest)));
    return { passed: false, failedUnits: [], checks: [], milliseconds: 0, why };
  }
  const left = switching.preflightTimeout - (performance.now() - begun) / 1000;
  const machine = preflightMachine(guest);
  return examine(effects, {
    guest,
    machine,
    phase: 'preflight',
    tolerated,
    checks,
    timeout: left,
    settle: 0,
  });
}

/** Ends the preflight's machine at once, because nothing of it is kept, and deletes what it wrote. */
async function land(effects: Effects, guest: GuestName): Promise<void> {
  await effects.systemd.killMachine(preflightMachine(guest), preflightUnit(guest));
  await effects.layering.clean(placesOf(effects, guest).scratch);
}

/**
 * Remembers which units of the running guest are failed: what fails in the new generation too is not its fault. On the
 * disk, because the guest is checked after it was stopped, perhaps by another process.
 */
export async function rememberFailedUnits(effects: Effects, guest: GuestName): Promise<string[]> {
  const leader = await effects.systemd.leader(guest);
  const path = placesOf(effects, guest).failedUnits;
  if (leader === undefined) return recallFailedUnits(effects, guest);
  const units = await new Inside(effects.runner, leader).failedUnits();
  await writeFileAtomic(path, units.map((unit) => `${unit}\n`).join(''), 0o600);
  return units;
}

export async function recallFailedUnits(effects: Effects, guest: GuestName): Promise<string[]> {
  const path = placesOf(effects, guest).failedUnits;
  if (!(await exists(path))) return [];
  return ((await readOptional(path)) ?? '').split('\n').filter((unit) => unit !== '');
}
