import { bracketed, heldPorts, type HeldPort, type Listen } from '../model/listen.ts';
import type { GuestName } from '../model/names.ts';
import {
  GUEST_INTERFACE,
  guestAddress,
  hostAddress,
  hostInterface,
  type Pair,
  type Side,
} from '../model/pair.ts';
import { UnitFile } from '../unitfile/unitfile.ts';
import { RECOVER_UNIT } from './host.ts';

/**
 * Held ports. A connection goes
 *
 *     client → front → /run/guestree/ports/NAME/PORT → channel → the guest's own end of a veth pair
 *
 * Front and channel are each a socket unit, which PID 1 holds open, and a systemd-socket-proxyd(8). PORT is a symlink to
 * the socket of one of the channels, and connect(2) resolves it at each connection: one rename(2) moves a port, and
 * connections that are there stay where they are. A channel passes nothing on before the guest is ready, so connections
 * wait in its backlog.
 *
 * The names end in @NAME, which makes `guestree-listen-*@NAME.socket` a pattern that matches one guest's units only.
 */
const PORTS_DIRECTORY = '/run/guestree/ports';
export const LINK_TEMPLATE = 'guestree-link@.service';
export const PORTS_TEMPLATE = 'guestree-ports@.service';

/** Where a channel leads: `a` and `b` to the guest, in turn, `next` to the instance beside it in a blue-green switch. */
export const SLOTS = ['a', 'b', 'next'] as const;
export type Slot = (typeof SLOTS)[number];

const PROXY = '/usr/lib/systemd/systemd-socket-proxyd';

/** A connection takes the proxy six file descriptors: its two sides, and a pipe for each direction (socket-proxyd.c). */
const CONNECTIONS = 65_536;
const FILES = 524_288;

/** Seconds that a channel waits at first for the port of a guest that is ready; then connections are refused by it. */
const LISTEN_SECONDS = 10;

/** The instance of NAME that runs beside it in a blue-green switch. */
export function nextInstance(name: GuestName): string {
  return `${name}-next`;
}

export function portsDirectory(instance: string): string {
  return `${PORTS_DIRECTORY}/${instance}`;
}

export function portsUnit(instance: string): string {
  return PORTS_TEMPLATE.replace('@', `@${instance}`);
}

export function frontUnit(name: GuestName, host: number, suffix: 'socket' | 'service'): string {
  return `guestree-listen-${host}@${name}.${suffix}`;
}

export function channelUnit(name: GuestName, host: number, slot: Slot, suffix: 'socket' | 'service'): string {
  return `guestree-channel-${host}-${slot}@${name}.${suffix}`;
}

/** Patterns for systemctl(1) that match the sockets of one guest. With a socket its service stops. */
export function socketPatterns(name: GuestName): string[] {
  return [`guestree-listen-*@${name}.socket`, `guestree-channel-*@${name}.socket`];
}

/** Whether a file name is that of a unit of a guest's held ports. */
export function isPortUnit(file: string, name: GuestName): boolean {
  const match = /^guestree-(?:listen-[0-9]+|channel-[0-9]+-(?:a|b|next))@(.+)\.(?:socket|service)$/.exec(
    file,
  );
  return match?.[1] === name;
}

/** What the two templates need to know of one instance: systemd.exec(5), EnvironmentFile=. */
export function renderPair(name: GuestName, pair: Pair, side: Side, listens: readonly Listen[]): string {
  const sockets = side === 'own' ? heldPorts(listens).map(({ host }) => frontUnit(name, host, 'socket')) : [];
  return [
    `INTERFACE=${hostInterface(pair, side)}`,
    `HOST=${hostAddress(pair)}`,
    `GUEST=${guestAddress(pair, side)}`,
    `SOCKETS="${sockets.join(' ')}"`,
    '',
  ].join('\n');
}

/**
 * Gives both ends of the link their addresses while the guest still boots, so that it costs no time afterwards. The
 * machine is registered when its interfaces are in place (nspawn.c, run_container()); the leader of one that has just
 * ended has no network namespace to enter, and is asked for again.
 */
export function renderLinkTemplate(): string {
  const enter = 'nsenter --target "$$leader" --net ip -batch -';
  const batch = `{ echo "address replace $$GUEST peer $$HOST dev ${GUEST_INTERFACE}"; echo "link set ${GUEST_INTERFACE} up"; }`;
  const leader = 'leader=$$(machinectl show --property=Leader --value %i 2>/dev/null)';
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Link for the held ports of %i')
    .add('Unit', 'ConditionPathExists', `${PORTS_DIRECTORY}/%i/pair`)
    .add('Unit', 'BindsTo', 'systemd-nspawn@%i.service')
    .add('Unit', 'After', RECOVER_UNIT)
    .add('Unit', 'StartLimitIntervalSec', '0')
    .add('Service', 'Type', 'oneshot')
    .add('Service', 'RemainAfterExit', 'yes')
    .add('Service', 'EnvironmentFile', `${PORTS_DIRECTORY}/%i/pair`)
    .add(
      'Service',
      'ExecStart',
      `/bin/sh -c 'until ${leader} && ${batch} | ${enter} 2>/dev/null; do sleep 0.05; done; echo "$$leader" >${PORTS_DIRECTORY}/%i/leader'`,
    )
    .add('Service', 'ExecStart', 'ip address replace ${HOST} peer ${GUEST} dev ${INTERFACE}')
    .add('Service', 'ExecStart', 'ip link set ${INTERFACE} up')
    .add('Service', 'TimeoutStartSec', '5min')
    .toString();
}

/**
 * Is active as long as the guest is ready, and holds the gate open: a FIFO, whose other end a channel opens before it
 * begins. Opening a FIFO waits until the other end is open, and the kernel lets go of it however this process ends
 * (fifo(7)). When the guest ends, its ports are closed, unless `held` says that a switch is under way.
 */
export function renderPortsTemplate(): string {
  const directory = `${PORTS_DIRECTORY}/%i`;
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Held ports of %i')
    .add('Unit', 'ConditionPathExists', `${directory}/pair`)
    .add('Unit', 'Requires', 'guestree-link@%i.service')
    .add('Unit', 'BindsTo', 'systemd-nspawn@%i.service')
    .add('Unit', 'After', `guestree-link@%i.service systemd-nspawn@%i.service ${RECOVER_UNIT}`)
    .add('Unit', 'StartLimitIntervalSec', '0')
    .add('Service', 'EnvironmentFile', `${directory}/pair`)
    .add('Service', 'ExecStart', `/bin/sh -c 'exec sleep infinity 3<>${directory}/gate'`)
    .add('Service', 'ExecStartPost', `-/bin/rm -f ${directory}/held`)
    .add('Service', 'ExecStartPost', '-systemctl start $SOCKETS')
    .add(
      'Service',
      'ExecStopPost',
      `-/bin/sh -c 'test -e ${directory}/held || exec systemctl --no-block stop "guestree-listen-*@%i.socket" "guestree-channel-*@%i.socket"'`,
    )
    .toString();
}

/** All units of a guest's held ports: name → text. */
export function renderPortUnits(
  name: GuestName,
  pair: Pair,
  listens: readonly Listen[],
): Map<string, string> {
  const units = new Map<string, string>();
  for (const port of heldPorts(listens)) {
    units.set(frontUnit(name, port.host, 'socket'), renderFrontSocket(name, port));
    units.set(frontUnit(name, port.host, 'service'), renderFront(name, port));
    for (const slot of SLOTS) {
      units.set(channelUnit(name, port.host, slot, 'socket'), renderChannelSocket(name, port, slot));
      units.set(channelUnit(name, port.host, slot, 'service'), renderChannel(name, pair, port, slot));
    }
  }
  return units;
}

/**
 * The socket that clients connect to. FreeBind= lets it wait for an address that the host does not have yet;
 * TriggerLimitIntervalSec=0, because a limit that is hit closes the socket (systemd.socket(5)).
 */
function renderFrontSocket(name: GuestName, { host, addresses }: HeldPort): string {
  const path = `${portsDirectory(name)}/${host}`;
  const channels = (['a', 'b'] as const).map((slot) => channelUnit(name, host, slot, 'socket')).join(' ');
  const file = UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', `Held port ${host} of ${name}`)
    .add('Unit', 'Requires', channels)
    .add('Unit', 'After', channels);
  if (addresses.length === 0) file.add('Socket', 'ListenStream', String(host));
  for (const address of addresses) file.add('Socket', 'ListenStream', `${bracketed(address)}:${host}`);
  return file
    .add('Socket', 'BindIPv6Only', 'both')
    .add('Socket', 'FreeBind', 'yes')
    .add('Socket', 'Backlog', '65535')
    .add('Socket', 'NoDelay', 'yes')
    .add('Socket', 'KeepAlive', 'yes')
    .add('Socket', 'TriggerLimitIntervalSec', '0')
    .add('Socket', 'ExecStartPre', `/bin/sh -c 'test -L ${path} || exec ln -s ${host}.a ${path}'`)
    .toString();
}

function renderFront(name: GuestName, { host }: HeldPort): string {
  const file = UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', `Held port ${host} of ${name}`)
    .add('Unit', 'Requires', frontUnit(name, host, 'socket'))
    .add('Unit', 'PartOf', frontUnit(name, host, 'socket'))
    .add('Unit', 'After', frontUnit(name, host, 'socket'))
    .add('Unit', 'StartLimitIntervalSec', '0')
    .add('Service', 'ExecStart', `${PROXY} --connections-max=${CONNECTIONS} ${portsDirectory(name)}/${host}`);
  return confine(file).toString();
}

function renderChannelSocket(name: GuestName, { host }: HeldPort, slot: Slot): string {
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', `Channel ${slot} of port ${host} of ${name}`)
    .add('Socket', 'ListenStream', `${portsDirectory(name)}/${host}.${slot}`)
    .add('Socket', 'SocketMode', '0600')
    .add('Socket', 'DirectoryMode', '0700')
    .add('Socket', 'Backlog', '65535')
    .add('Socket', 'RemoveOnStop', 'yes')
    .add('Socket', 'TriggerLimitIntervalSec', '0')
    .toString();
}

/**
 * Passes connections on to the guest. It first waits until the gate is open; then until something listens on the port,
 * for a guest can call itself ready before a service of it does, and what has waited so long should not be refused at
 * last. /proc/PID/net/tcp has ports in hexadecimal, and the state 0A is LISTEN (proc_pid_net(5), tcp_states.h). The shell
 * becomes the proxy, so that the socket stays its own (sd_listen_fds(3), $LISTEN_PID).
 */
function renderChannel(name: GuestName, pair: Pair, { host, guest }: HeldPort, slot: Slot): string {
  const side: Side = slot === 'next' ? 'next' : 'own';
  const directory = portsDirectory(side === 'next' ? nextInstance(name) : name);
  const listens = `grep -qs ":${guest.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]*:[0-9A-F]* 0A " /proc/$$pid/net/tcp /proc/$$pid/net/tcp6`;
  const wait = `n=0; until ${listens} || [ $$n -ge ${LISTEN_SECONDS * 50} ]; do n=$$((n+1)); sleep 0.02; done`;
  const proxy = `exec ${PROXY} --connections-max=${CONNECTIONS} ${guestAddress(pair, side)}:${guest}`;
  const socket = channelUnit(name, host, slot, 'socket');
  const file = UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', `Channel ${slot} of port ${host} of ${name}`)
    .add('Unit', 'Requires', socket)
    .add('Unit', 'PartOf', socket)
    .add('Unit', 'After', socket)
    .add('Unit', 'StartLimitIntervalSec', '0')
    .add(
      'Service',
      'ExecStart',
      `/bin/sh -c ': <${directory}/gate; read -r pid <${directory}/leader; ${wait}; ${proxy}'`,
    );
  return confine(file).toString();
}

/**
 * The proxies need their sockets, and large pipes for many connections (pipe(7), CAP_SYS_RESOURCE), and nothing else.
 */
function confine(file: UnitFile): UnitFile {
  return file
    .add('Service', 'LimitNOFILE', String(FILES))
    .add('Service', 'NoNewPrivileges', 'yes')
    .add('Service', 'CapabilityBoundingSet', 'CAP_SYS_RESOURCE')
    .add('Service', 'ProtectSystem', 'strict')
    .add('Service', 'ProtectHome', 'yes')
    .add('Service', 'PrivateDevices', 'yes')
    .add('Service', 'RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6')
    .add('Service', 'RestrictNamespaces', 'yes')
    .add('Service', 'MemoryDenyWriteExecute', 'yes');
}
