import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DRAIN_SECONDS, parseDefinition, type Definition } from '../model/definition.ts';
import { Failure } from '../model/failure.ts';
import type { Listen } from '../model/listen.ts';
import type { GuestName } from '../model/names.ts';
import type { Pair, Side } from '../model/pair.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, readOptional, writeFileAtomic } from '../system/files.ts';
import { isPortFree } from '../system/port.ts';
import {
  frontUnit,
  isPortUnit,
  nextInstance,
  portsDirectory,
  portsUnit,
  renderPair,
  renderPortUnits,
  socketPatterns,
} from '../units/ports.ts';
import { closeChannels, drain, movePorts } from './channels.ts';
import { placesOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { readGenerations } from './observe.ts';
import { claimPair } from './pairs.ts';
import { rememberFailedUnits } from './preflight.ts';

const RUNTIME_UNITS = '/run/systemd/system';
const IN_USE = 'Address already in use';

/**
 * Before the guest stops: new connections to its held ports wait from here on, and those that are there get time to
 * end. A port that the new generation adds must be free, which is found out here, while the guest still runs.
 */
export const holdPorts: Executor<StepArguments['hold-ports']> = {
  async apply({ guest, generation }, effects, run) {
    if (run.rebooted) return undefined;
    const definition = await definitionOf(effects, guest, generation);
    const fronts = await frontsOf(guest);
    await requireFree(guest, definition?.listens ?? [], fronts);
    if (fronts.length === 0) return undefined;
    await rememberFailedUnits(effects, guest);
    run.holds = true;
    run.stoppedAt = await hold(effects, guest, definition?.drainSeconds ?? DRAIN_SECONDS);
    return undefined;
  },
  async undo({ guest }, effects, run) {
    if (run.rebooted || !(await isHeld(guest))) return;
    if (await effects.systemd.isActive(guest)) await effects.systemd.startUnit(portsUnit(guest));
    else await closePorts(effects, guest);
  },
};

/** @returns since when new connections wait, in milliseconds of a monotonic clock */
async function hold(effects: Effects, guest: GuestName, seconds: number): Promise<number> {
  await keepOpen(guest);
  // Closes the gate: a channel that begins now waits until the guest is ready again. One that is left from an earlier
  // switch has passed the gate and would not wait.
  await effects.systemd.stopUnits([portsUnit(guest)]);
  await closeChannels(effects, guest);
  const since = performance.now();
  const before = await movePorts(effects, guest, 'other');
  await drain(effects, guest, before, seconds);
  return since;
}

/** From now on the ports stay open when the guest stops, until it is ready again or closePorts() is called. */
export async function keepOpen(guest: GuestName): Promise<void> {
  await writeFile(heldPath(guest), '');
}

/** For a generation that was started and is taken back: clients wait for the old one, too. */
export async function holdAgain(effects: Effects, guest: GuestName): Promise<void> {
  if (!(await isHeld(guest)) && (await frontsOf(guest)).length > 0) await hold(effects, guest, 0);
}

/** After the swap, if the generations hold different ports. */
export const setPorts: Executor<StepArguments['set-ports']> = {
  async apply({ guest, generation }, effects) {
    if (await writePorts(effects, guest, generation)) await effects.systemd.reload();
    if (await isHeld(guest)) await openSockets(effects, guest);
    return undefined;
  },
  async undo({ guest, previous }, effects) {
    if (await writePorts(effects, guest, previous)) await effects.systemd.reload();
    if (!(await isHeld(guest))) return;
    try {
      await openSockets(effects, guest);
    } catch (error) {
      // The guest comes back nevertheless, with the other ports.
      if (!(error instanceof Failure)) throw error;
      effects.progress.warning(`${guest}: ${error.message}`);
    }
  },
};

/**
 * Opens the held ports of a guest that is about to start: clients wait from then on, and a port that something else
 * uses is found before the guest is started. Does nothing in a switch, where they are open.
 * @throws Failure `conflict` if a port cannot be opened
 */
export async function openPorts(effects: Effects, guest: GuestName): Promise<void> {
  if (await isHeld(guest)) return;
  try {
    await openSockets(effects, guest);
  } catch (error) {
    await closePorts(effects, guest);
    throw error;
  }
}

async function openSockets(effects: Effects, guest: GuestName): Promise<void> {
  const fronts = await frontsOf(guest);
  try {
    await effects.systemd.startUnits(fronts);
  } catch (error) {
    const [failed] = await effects.systemd.failedUnits(fronts);
    if (failed === undefined) throw error;
    const why = await whyNotOpened(effects, failed);
    await effects.systemd.resetFailed([failed]);
    throw notOpened(guest, hostPort(failed), why, error);
  }
}

/** The journal does not always have the reason: a process that ends at once may be gone before journald asks for its unit. */
async function whyNotOpened(effects: Effects, front: string): Promise<string> {
  const text = (await readOptional(join(RUNTIME_UNITS, front))) ?? '';
  for (const [, address] of text.matchAll(/^ListenStream=(?:\[?(.+?)\]?:)?[0-9]+$/gm))
    if (!(await isPortFree(address, hostPort(front)))) return IN_USE;
  return effects.systemd.lastLines(front);
}

/** Asks before the guest is touched whether the ports that it will hold in addition can be had. */
async function requireFree(
  guest: GuestName,
  listens: readonly Listen[],
  fronts: readonly string[],
): Promise<void> {
  const open = new Set(fronts.map(hostPort));
  for (const { address, host } of listens) {
    if (open.has(host) || (await isPortFree(address, host))) continue;
    throw notOpened(guest, host, IN_USE);
  }
}

function hostPort(front: string): number {
  return Number(/-([0-9]+)@/.exec(front)?.[1]);
}

function notOpened(guest: GuestName, port: number, why: string, cause?: unknown): Failure {
  return new Failure('conflict', `port ${port} of the host cannot be opened: ${why}`, {
    guest,
    cause,
    hint: `See who has it: ss --listening --tcp --numeric --processes 'sport = :${port}'. Or change Listen= of the guest.`,
  });
}

/** Ends the wait of clients: the guest is ready. Returns when its held ports lead to it. */
export async function releasePorts(effects: Effects, guest: GuestName): Promise<void> {
  if ((await frontsOf(guest)).length > 0) await effects.systemd.startUnit(portsUnit(guest));
}

/** Closes all held ports of a guest, with every connection that is still in them. */
export async function closePorts(effects: Effects, guest: GuestName): Promise<void> {
  if ((await frontsOf(guest)).length === 0) return;
  await rm(heldPath(guest), { force: true });
  await effects.systemd.stopUnits(socketPatterns(guest));
}

/** While the guest is down: ends what draining has left, in channels that no port leads to. */
export async function closeDrained(effects: Effects, guest: GuestName): Promise<void> {
  if (await isHeld(guest)) await closeChannels(effects, guest);
}

/**
 * Makes the units of a guest's held ports those of a generation; sockets that are not the same any more are closed.
 * @returns whether the service manager has to read its units again; where some went or changed, it was told
 */
export async function writePorts(effects: Effects, guest: GuestName, generation: number): Promise<boolean> {
  const definition = await definitionOf(effects, guest, generation);
  // The record is damaged: what is there stays.
  if (definition === undefined) return false;
  const { listens } = definition;
  const pair = listens.length === 0 ? undefined : await claimPair(effects, guest);
  const wanted = pair === undefined ? new Map<string, string>() : renderPortUnits(guest, pair, listens);
  const there = await unitFiles(guest);
  const stale: string[] = [];
  for (const name of there)
    if ((await readOptional(join(RUNTIME_UNITS, name))) !== wanted.get(name)) stale.push(name);
  const missing = [...wanted].filter(([name]) => !there.includes(name));
  await effects.systemd.stopUnits(stale);
  for (const name of stale) {
    const text = wanted.get(name);
    if (text === undefined) await rm(join(RUNTIME_UNITS, name), { force: true });
    else await writeFileAtomic(join(RUNTIME_UNITS, name), text);
  }
  for (const [name, text] of missing) await writeFileAtomic(join(RUNTIME_UNITS, name), text);
  if (pair === undefined) await rm(portsDirectory(guest), { recursive: true, force: true });
  else {
    await writeInstance(effects, guest, pair, 'own', listens);
    await removeOldLinks(guest, wanted);
  }
  if (stale.length === 0) return missing.length > 0;
  await effects.systemd.reload();
  // A socket that stayed may have started its service once more before its new text was read.
  await effects.systemd.stopUnits(stale.filter((name) => name.endsWith('.service')));
  await effects.systemd.resetFailed(stale);
  return false;
}

/**
 * What an instance of a guest needs at its start to be reached: its addresses and its gate. The instance beside the
 * guest in a blue-green switch gets its own, and the interface of its .nspawn file is hostInterface(pair, 'next').
 */
export async function writeInstance(
  effects: Effects,
  guest: GuestName,
  pair: Pair,
  side: Side,
  listens: readonly Listen[],
): Promise<void> {
  const directory = portsDirectory(side === 'next' ? nextInstance(guest) : guest);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const gate = join(directory, 'gate');
  if (!(await exists(gate))) await effects.runner.run('mkfifo', ['--mode=600', gate]);
  await writeFileAtomic(join(directory, 'pair'), renderPair(guest, pair, side, listens));
}

/** Leaves nothing of a guest's held ports on the host. */
export async function removePorts(effects: Effects, guest: GuestName): Promise<void> {
  const units = await unitFiles(guest);
  if (units.length > 0) {
    await effects.systemd.stopUnits([...socketPatterns(guest), portsUnit(guest)]);
    for (const name of units) await rm(join(RUNTIME_UNITS, name), { force: true });
    await effects.systemd.resetFailed(units);
  }
  for (const instance of [guest, nextInstance(guest)])
    await rm(portsDirectory(instance), { recursive: true, force: true });
}

/** A link of a port that is not held any more would be followed by nobody and drained for nothing. */
async function removeOldLinks(guest: GuestName, units: ReadonlyMap<string, string>): Promise<void> {
  for (const entry of await readdir(portsDirectory(guest))) {
    if (!/^[1-9][0-9]*$/.test(entry) || units.has(frontUnit(guest, Number(entry), 'socket'))) continue;
    await rm(join(portsDirectory(guest), entry), { force: true });
  }
}

async function unitFiles(guest: GuestName): Promise<string[]> {
  if (!(await exists(RUNTIME_UNITS))) return [];
  return (await readdir(RUNTIME_UNITS)).filter((name) => isPortUnit(name, guest));
}

/** The sockets that clients connect to, as the host has them set now. */
async function frontsOf(guest: GuestName): Promise<string[]> {
  const text = (await readOptional(join(portsDirectory(guest), 'pair'))) ?? '';
  return (/^SOCKETS="(.*)"$/m.exec(text)?.[1] ?? '').split(' ').filter((unit) => unit !== '');
}

/** Whether a switch is under way, in which the ports stay open while the guest is down. */
export async function isHeld(guest: GuestName): Promise<boolean> {
  return exists(heldPath(guest));
}

function heldPath(guest: GuestName): string {
  return join(portsDirectory(guest), 'held');
}

async function definitionOf(
  effects: Effects,
  guest: GuestName,
  generation: number,
): Promise<Definition | undefined> {
  const records = await readGenerations(placesOf(effects, guest).generations, 'pass-over');
  const record = records.find((each) => each.number === generation);
  return record === undefined ? undefined : parseDefinition(guest, record.definition);
}
