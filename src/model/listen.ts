import { isIPv4, isIPv6 } from 'node:net';
import { Failure } from './failure.ts';
import { quoted } from './names.ts';
import { formatPort, type Network, type PortMapping } from './network.ts';

/** A TCP port of the host that systemd keeps open while the guest is switched, and that leads to a port of the guest. */
export interface Listen {
  /** The address of the host, IPv6 without brackets; undefined for all addresses of IPv4 and IPv6. */
  address: string | undefined;
  host: number;
  guest: number;
}

/**
 * `tcp:PORT`, `tcp:HOST:GUEST`, `tcp:ADDRESS:PORT` or `tcp:ADDRESS:HOST:GUEST`; an IPv6 address is in brackets, as in
 * systemd.socket(5), ListenStream=.
 */
export function parseListen(value: string): Listen {
  const match = /^(tcp|udp):(?:([0-9.]*\.[0-9.]*|\[[0-9A-Fa-f:.]+\]):)?([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(
    value,
  );
  if (match?.[1] === 'udp') {
    throw new Failure('invalid', `${quoted(value)}: only TCP ports can be held`, {
      hint: 'A datagram has nothing to wait in while the guest is switched. Use Port= (--port) for UDP.',
    });
  }
  const address = match?.[2]?.replace(/^\[|\]$/g, '');
  const host = Number(match?.[3]);
  const guest = Number(match?.[4] ?? match?.[3]);
  const known =
    address === undefined || (match?.[2]?.startsWith('[') === true ? isIPv6(address) : isIPv4(address));
  if (match && known && isPort(host) && isPort(guest)) {
    return { address: address === undefined ? undefined : canonical(address), host, guest };
  }
  throw new Failure('invalid', `${quoted(value)} is not a port to listen on`, {
    hint: 'Write tcp:PORT, tcp:HOST:GUEST or tcp:ADDRESS:HOST:GUEST, for example tcp:25, tcp:127.0.0.1:2525:25 or tcp:[::1]:2525:25.',
  });
}

/** The form that parseListen() reads. */
export function formatListen({ address, host, guest }: Listen): string {
  return `tcp:${address === undefined ? '' : `${bracketed(address)}:`}${host}${guest === host ? '' : `:${guest}`}`;
}

/** An address as it stands before a port. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** A port of the host with every address that it is held on: what one socket unit listens on. */
export interface HeldPort {
  host: number;
  guest: number;
  /** Empty for all addresses. */
  addresses: string[];
}

/** One entry for each port of the host, in the order in which they were written. */
export function heldPorts(listens: readonly Listen[]): HeldPort[] {
  const held = new Map<number, HeldPort>();
  for (const { address, host, guest } of listens) {
    const port = held.get(host) ?? { host, guest, addresses: [] };
    if (address !== undefined) port.addresses.push(address);
    held.set(host, port);
  }
  return [...held.values()];
}

/**
 * Refuses what cannot work: held ports need an interface of their own in the guest, which shares none with the host; and
 * one host port leads to one place. The same port on several addresses is one held port.
 */
export function validateListens(
  network: Network,
  ports: readonly PortMapping[],
  listens: readonly Listen[],
): void {
  if (listens.length > 0 && network.kind === 'host') {
    throw new Failure('invalid', 'ports cannot be held for a guest with the network "host"', {
      hint: 'Leave out Listen= (--listen): the guest listens on the host itself. Or use another network.',
    });
  }
  for (const [index, listen] of listens.entries()) {
    const published = ports.find((port) => port.protocol === 'tcp' && port.host === listen.host);
    if (published !== undefined) {
      throw new Failure(
        'invalid',
        `host port ${listen.host} is both published (${formatPort(published)}) and held (${formatListen(listen)})`,
        { hint: 'Keep one of Port= (--port) and Listen= (--listen) for it.' },
      );
    }
    for (const other of listens.slice(0, index)) refuseBoth(other, listen);
  }
}

function refuseBoth(one: Listen, other: Listen): void {
  if (one.host !== other.host) return;
  if (one.address === undefined || other.address === undefined || one.address === other.address) {
    throw new Failure('invalid', `host port ${one.host} is held twice on the same address`, {
      hint: 'Without an address a port is held on all of them.',
    });
  }
  if (one.guest !== other.guest) {
    throw new Failure('invalid', `host port ${one.host} leads to two ports of the guest`, {
      hint: 'Use one port of the guest, or two ports of the host.',
    });
  }
}

function isPort(number: number): boolean {
  return number >= 1 && number <= 65_535;
}

/** One spelling of an address, so that the same one is found twice; URLs have it (WHATWG URL, host serializing). */
function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
