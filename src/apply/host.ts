import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestName } from '../model/names.ts';
import { sharedLocks } from '../model/paths.ts';
import type { StepArguments } from '../plan/step.ts';
import {
  exists,
  makeDirectories,
  readLinkOptional,
  readOptional,
  replaceSymlink,
  writeFileAtomic,
} from '../system/files.ts';
import { raiseInotifyLimit } from '../system/limits.ts';
import { acquireLock } from '../system/lock.ts';
import {
  RECOVER_UNIT,
  GUARD_UNIT,
  renderGuardUnit,
  renderRecoverUnit,
  renderStateUnit,
  renderStaticDropIn,
  STATE_UNIT,
} from '../units/host.ts';
import { LINK_TEMPLATE, PORTS_TEMPLATE, renderLinkTemplate, renderPortsTemplate } from '../units/ports.ts';
import { BOOT_SCRIPT, renderBootScript } from '../units/boot.ts';
import {
  renderUpgradeService,
  renderUpgradeTimer,
  UPGRADE_SERVICE,
  UPGRADE_TIMER,
} from '../units/upgrade.ts';
import { placesOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { listGuests, readCurrent } from './observe.ts';
import { removePorts, writePorts } from './ports.ts';

const RUNTIME_UNITS = '/run/systemd/system';

export const prepareHost: Executor<StepArguments['prepare-host']> = {
  async apply(_args, effects) {
    const { paths } = effects;
    for (const directory of ['guests', 'journal', 'scratch', 'cache']) {
      await makeDirectories(join(paths.state, directory), 0o700);
    }
    const release = await acquireLock(sharedLocks(paths).host, 'the units of the host', true);
    try {
      await makePool(effects);
      await writeHostUnits(effects);
    } finally {
      await release();
    }
    return undefined;
  },
};

async function makePool({ pool }: Effects): Promise<void> {
  if (await exists(join(pool.path, 'config'))) return;
  // A first try that was cut off may have left a part of a repository; it holds nothing yet.
  await rm(pool.path, { recursive: true, force: true });
  await pool.init();
}

export const define: Executor<StepArguments['define']> = {
  async apply({ guest, text }, effects) {
    await writeFileAtomic(placesOf(effects, guest).definition, text);
    return undefined;
  },
  async undo({ guest }, effects) {
    await rm(placesOf(effects, guest).definition, { force: true });
  },
};

export const redefine: Executor<StepArguments['redefine']> = {
  async apply({ guest, text }, effects) {
    await writeFileAtomic(placesOf(effects, guest).definition, text);
    return undefined;
  },
  async undo({ guest, before }, effects) {
    await writeFileAtomic(placesOf(effects, guest).definition, before);
  },
};

export const link: Executor<StepArguments['link']> = {
  async apply({ guest }, effects) {
    await ensureLinks(effects, guest);
    await raiseInotifyLimit((await listGuests(effects.paths)).length);
    return undefined;
  },
  async undo({ guest }, effects) {
    await removeLinks(effects, guest);
    await effects.systemd.reload();
  },
};

export const reload: Executor<StepArguments['reload']> = {
  async apply(_args, effects) {
    await effects.systemd.reload();
    return undefined;
  },
};

/** Writes the host's units if they are missing or of another version, and mounts the alias. */
export async function ensureHostUnits(effects: Effects): Promise<void> {
  const release = await acquireLock(sharedLocks(effects.paths).host, 'the units of the host', true);
  try {
    await writeHostUnits(effects);
  } finally {
    await release();
  }
}

async function writeHostUnits(effects: Effects): Promise<void> {
  const { paths, systemd } = effects;
  const units = new Map([
    [STATE_UNIT, renderStateUnit(paths.state, paths.alias)],
    [RECOVER_UNIT, renderRecoverUnit(paths.state, effects.program)],
    [LINK_TEMPLATE, renderLinkTemplate()],
    [PORTS_TEMPLATE, renderPortsTemplate()],
    [UPGRADE_SERVICE, renderUpgradeService(paths.state, effects.program)],
    [UPGRADE_TIMER, renderUpgradeTimer()],
    ...(effects.ostreeBooted ? [[GUARD_UNIT, renderGuardUnit(paths.state, effects.program)] as const] : []),
  ]);
  const script = join(paths.state, BOOT_SCRIPT);
  if ((await readOptional(script)) !== renderBootScript()) await writeFileAtomic(script, renderBootScript());
  let changed = false;
  for (const [name, text] of units) {
    const path = join(paths.units, name);
    if ((await readOptional(path)) === text) continue;
    await writeFileAtomic(path, text);
    changed = true;
  }
  if (changed) {
    await systemd.reload();
    // machines.target is what an enabled systemd-nspawn@.service hangs on; machinectl enables it in the same way.
    await systemd.enableUnits([RECOVER_UNIT, 'machines.target']);
  }
  await systemd.startUnit(STATE_UNIT);
}

/**
 * The host's side of a guest. Every link goes through `current`, so none of them changes at a switch; the last one is
 * below /run because a unit file must not be a link into a /var that is mounted later.
 */
export async function ensureLinks(effects: Effects, guest: GuestName): Promise<boolean> {
  const places = placesOf(effects, guest);
  const { paths } = effects;
  const links: [path: string, target: string][] = [
    [places.nspawnLink, `${places.current}/${guest}.nspawn`],
    [places.machineLink, `${places.current}/root`],
    [
      `${RUNTIME_UNITS}/systemd-nspawn@${guest}.service.d/60-guestree-generation.conf`,
      `${places.current}/unit.conf`,
    ],
  ];
  let changed = false;
  for (const [path, target] of links) {
    if ((await readLinkOptional(path)) === target) continue;
    await replaceSymlink(target, path);
    changed = true;
  }
  const dropIn = join(places.dropInDirectory, '50-guestree.conf');
  const text = renderStaticDropIn(guest, paths.state);
  if ((await readOptional(dropIn)) !== text) {
    await writeFileAtomic(dropIn, text);
    changed = true;
  }
  const current = await readCurrent(places.current);
  if (current !== undefined && (await writePorts(effects, guest, current))) changed = true;
  return changed;
}

export async function removeLinks(effects: Effects, guest: GuestName): Promise<void> {
  const places = placesOf(effects, guest);
  await removePorts(effects, guest);
  await rm(places.nspawnLink, { force: true });
  await rm(places.machineLink, { force: true });
  await rm(join(places.dropInDirectory, '50-guestree.conf'), { force: true });
  await rm(places.dropInDirectory, { recursive: true, force: true });
  await rm(`${RUNTIME_UNITS}/systemd-nspawn@${guest}.service.d`, { recursive: true, force: true });
}
