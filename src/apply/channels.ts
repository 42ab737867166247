import { readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestName } from '../model/names.ts';
import { guestAddress } from '../model/pair.ts';
import { isErrno } from '../system/files.ts';
import { channelUnit, portsDirectory, SLOTS, type Slot } from '../units/ports.ts';
import type { Effects } from './effects.ts';
import { readPair } from './pairs.ts';

/** Where the held ports of a guest lead now: a symlink PORT -> PORT.SLOT for each (src/units/ports.ts). */
export async function readSlots(guest: GuestName): Promise<Map<number, Slot>> {
  const slots = new Map<number, Slot>();
  const directory = portsDirectory(guest);
  for (const entry of await entries(directory)) {
    if (!/^[1-9][0-9]*$/.test(entry)) continue;
    const target = await readlink(join(directory, entry));
    const slot = SLOTS.find((each) => target === `${entry}.${each}`);
    if (slot !== undefined) slots.set(Number(entry), slot);
  }
  return slots;
}

/**
 * Moves all held ports of a guest to a slot, each in one rename(2): new connections go there, those that are there
 * stay. `other` is `b` for a port that is on `a`, and `a` for any other.
 * @returns where each port led before, for drain() and closeChannels()
 */
export async function movePorts(
  effects: Effects,
  guest: GuestName,
  to: Slot | 'other',
): Promise<Map<number, Slot>> {
  const before = await readSlots(guest);
  const after = [...before].map(([port, slot]) => [port, to === 'other' ? otherSlot(slot) : to] as const);
  const directory = portsDirectory(guest);
  const there = new Set(await entries(directory));
  const missing = after.filter(([port, slot]) => !there.has(`${port}.${slot}`));
  await effects.systemd.startUnits(missing.map(([port, slot]) => channelUnit(guest, port, slot, 'socket')));
  for (const [port, slot] of after) {
    const temporary = join(directory, `.${port}.new`);
    await rm(temporary, { force: true });
    await symlink(`${port}.${slot}`, temporary);
    await rename(temporary, join(directory, String(port)));
  }
  return before;
}

function otherSlot(slot: Slot): Slot {
  return slot === 'a' ? 'b' : 'a';
}

/** How long draining may take in all, in times of what the connections get: see drain(). */
const PATIENCE = 20;

/**
 * Waits until no connection is left in these channels, which no port may lead to any more, but not longer than so many
 * seconds. A connection that was not answered at all yet gets more: as long as there is one less of them in that time,
 * for a guest that is slow or busy is not a guest that does not answer.
 * @returns how many connections are left
 */
export async function drain(
  effects: Effects,
  guest: GuestName,
  slots: ReadonlyMap<number, Slot>,
  seconds: number,
): Promise<number> {
  const sockets = new Set([...slots].map(([port, slot]) => `${portsDirectory(guest)}/${port}.${slot}`));
  const pair = await readPair(effects, guest);
  const side = [...slots.values()].includes('next') ? 'next' : 'own';
  const last = performance.now() + seconds * 1000 * PATIENCE;
  let end = performance.now() + seconds * 1000;
  let fewest = Infinity;
  for (;;) {
    const left = countConnections(await readFile('/proc/net/unix', 'utf8'), sockets);
    if (left === 0 || pair === undefined || performance.now() >= last) return left;
    if (performance.now() >= end || fewest !== Infinity) {
      const waiting = left - (await countAnswered(effects, guestAddress(pair, side)));
      if (waiting <= 0) return left;
      if (waiting < fewest) {
        fewest = waiting;
        end = performance.now() + seconds * 1000;
      } else if (performance.now() >= end) return left;
    }
    await sleep(10);
  }
}

/** Connections of the host to this address on which something was received: ss(8) shows it for each with --info. */
async function countAnswered({ runner }: Effects, address: string): Promise<number> {
  const argv = ['--no-header', '--tcp', '--numeric', '--info', 'state', 'established', 'dst', address];
  return (await runner.run('ss', argv)).stdout.match(/ bytes_received:[1-9]/g)?.length ?? 0;
}

/**
 * Connections to UNIX sockets of these paths. A line of /proc/net/unix is `Num RefCount Protocol Flags Type St Inode
 * Path`; an accepted connection has the path of its listening socket and the state 03, one that waits to be accepted
 * 02 (proc_pid_net(5); SS_CONNECTED, SS_CONNECTING of linux/net.h).
 */
export function countConnections(text: string, sockets: ReadonlySet<string>): number {
  let count = 0;
  for (const line of text.split('\n')) {
    const [, state, path] = /^\S+ \S+ \S+ \S+ \S+ (\S+) +\S+ (.+)$/.exec(line) ?? [];
    if ((state === '02' || state === '03') && path !== undefined && sockets.has(path)) count++;
  }
  return count;
}

/** Ends the channels of a guest that no port leads to, and with them the connections that are left in them. */
export async function closeChannels(effects: Effects, guest: GuestName): Promise<void> {
  const units = [...(await readSlots(guest))].flatMap(([port, used]) =>
    SLOTS.filter((slot) => slot !== used).map((slot) => channelUnit(guest, port, slot, 'service')),
  );
  await effects.systemd.stopUnits(units);
}

async function entries(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
