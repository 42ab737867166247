import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDefinition } from '../model/definition.ts';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { hostInterface } from '../model/pair.ts';
import type { StepArguments } from '../plan/step.ts';
import { replaceSymlink, writeFileAtomic } from '../system/files.ts';
import { besideFiles, besideUnit } from '../units/beside.ts';
import { nextInstance, portsDirectory } from '../units/ports.ts';
import { closeChannels, drain, movePorts, readSlots } from './channels.ts';
import { sysrootOf, placesOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { examine } from './health.ts';
import { readDefinition, readGenerations } from './observe.ts';
import { claimPair } from './pairs.ts';
import { keepOpen, writeInstance } from './ports.ts';
import { rememberFailedUnits } from './preflight.ts';

/**
 * The new generation as NAME-next, on the guest's own /var, with a network and a link for held ports of its own. It takes
 * the guest's place until the guest itself runs the new generation. All of its files are below /run, so that nothing of
 * it is left after a power cut.
 */
export const startBeside: Executor<StepArguments['start-beside']> = {
  async apply({ guest, generation }, effects, run) {
    if (run.rebooted) return undefined;
    const tolerated = await rememberFailedUnits(effects, guest);
    const { switching, checks } = await readDefinition(effects.paths, guest);
    await writeBeside(effects, guest, generation);
    const machine = nextInstance(guest);
    await effects.systemd.start(machine, switching.healthTimeout);
    const settings = { timeout: switching.healthTimeout, settle: 0, tolerated, checks };
    run.health = await examine(effects, { guest, machine, phase: 'health', ...settings });
    const { why } = run.health;
    if (why === undefined) return undefined;
    throw new Failure('unhealthy', `generation ${generation} is not healthy: ${why}`, {
      guest,
      hint: `The running guest was not touched. See: guestree status ${guest}`,
    });
  },
  async undo({ guest }, effects, run) {
    if (!run.rebooted) await removeBeside(effects, guest);
  },
};

export const stopBeside: Executor<StepArguments['stop-beside']> = {
  async apply({ guest }, effects, run) {
    if (!run.rebooted) await removeBeside(effects, guest);
    return undefined;
  },
};

/** New connections go to the other instance at once; those that are there get time to end. */
export const movePort: Executor<StepArguments['move-ports']> = {
  async apply({ guest, to }, effects, run) {
    if (!run.rebooted) await move(effects, guest, to);
    return undefined;
  },
  async undo({ guest, to }, effects, run) {
    if (!run.rebooted && to === 'next' && (await leadsBeside(guest))) await move(effects, guest, 'own');
  },
};

async function move(effects: Effects, guest: GuestName, to: 'own' | 'next'): Promise<void> {
  const { drainSeconds } = await readDefinition(effects.paths, guest);
  // The guest is going to be stopped, and its ports must not be closed with it.
  if (to === 'next') await keepOpen(guest);
  else await closeChannels(effects, guest);
  const before = await movePorts(effects, guest, to === 'next' ? 'next' : 'a');
  await drain(effects, guest, before, drainSeconds);
}

/** Whether clients reach the instance beside the guest, so that the guest can be stopped without anybody waiting. */
export async function leadsBeside(guest: GuestName): Promise<boolean> {
  return [...(await readSlots(guest)).values()].includes('next');
}

async function writeBeside(effects: Effects, guest: GuestName, generation: number): Promise<void> {
  await removeBeside(effects, guest);
  const { paths } = effects;
  const sysroot = sysrootOf(effects, guest);
  const records = await readGenerations(placesOf(effects, guest).generations);
  const record = records.find((each) => each.number === generation);
  if (record === undefined)
    throw new Failure('not-found', `generation ${generation} has no record`, { guest });
  const definition = parseDefinition(guest, record.definition);
  const pair = await claimPair(effects, guest);
  const root = sysroot.directory(guest, record.deployment);
  const throughAlias = (path: string): string => `${paths.alias}${path.slice(paths.state.length)}`;
  const files = besideFiles({
    name: guest,
    generation,
    state: paths.state,
    etc: throughAlias(`${root}/etc`),
    variable: throughAlias(sysroot.variable(guest)),
    network: definition.network,
    link: hostInterface(pair, 'next'),
  });
  await replaceSymlink(root, files.machine);
  await writeFileAtomic(files.nspawn.path, files.nspawn.text);
  await writeFileAtomic(files.dropIn.path, files.dropIn.text);
  await writeInstance(effects, guest, pair, 'next', definition.listens);
  await writeFile(join(portsDirectory(nextInstance(guest)), 'held'), '');
  await effects.systemd.reload();
}

async function removeBeside(effects: Effects, guest: GuestName): Promise<void> {
  await effects.systemd.stopUnits([besideUnit(guest)]);
  const { machine, nspawn, dropIn } = besideFiles({ name: guest });
  for (const path of [machine, nspawn.path, join(dropIn.path, '..'), portsDirectory(nextInstance(guest))])
    await rm(path, { recursive: true, force: true });
  await effects.systemd.reload();
}
