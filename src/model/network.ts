import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/** How a guest is connected (systemd.nspawn(5), [Network]). `veth` is the default: a private network with DHCP. */
export type Network =
  | { kind: 'veth' }
  | { kind: 'host' }
  | { kind: 'none' }
  | { kind: 'bridge'; name: string }
  | { kind: 'zone'; name: string };

/** A port of the host that leads to a port of the guest (systemd.nspawn(5), Port=). */
export interface PortMapping {
  protocol: 'tcp' | 'udp';
  host: number;
  guest: number;
}

/**
 * `veth`, `host`, `none`, `bridge:NAME` or `zone:NAME`. An interface name has at most 15 bytes (IFNAMSIZ), and a
 * zone's bridge is called `vz-NAME`, so a zone name has at most 12.
 */
export function parseNetwork(value: string): Network {
  if (value === 'veth' || value === 'host' || value === 'none') return { kind: value };
  const [kind, name = ''] = splitOnce(value);
  if (kind === 'bridge' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(name)) return { kind, name };
  if (kind === 'zone' && /^[A-Za-z0-9][A-Za-z0-9_-]{0,11}$/.test(name)) return { kind, name };
  throw new Failure('invalid', `${quoted(value)} is not a network`, {
    hint: 'Use one of: veth, host, none, bridge:NAME (an existing bridge), zone:NAME (a bridge that guests share).',
  });
}

export function formatNetwork(network: Network): string {
  return 'name' in network ? `${network.kind}:${network.name}` : network.kind;
}

/** `tcp:HOST:GUEST`, `udp:HOST:GUEST`; `tcp:PORT` is short for `tcp:PORT:PORT`. */
export function parsePort(value: string): PortMapping {
  const match = /^(tcp|udp):([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(value);
  const host = Number(match?.[2]);
  const guest = Number(match?.[3] ?? match?.[2]);
  if (match && host >= 1 && host <= 65_535 && guest >= 1 && guest <= 65_535) {
    return { protocol: match[1] === 'udp' ? 'udp' : 'tcp', host, guest };
  }
  throw new Failure('invalid', `${quoted(value)} is not a port`, {
    hint: 'Write PROTOCOL:HOST:GUEST with ports from 1 to 65535, for example tcp:2525:25.',
  });
}

export function formatPort(port: PortMapping): string {
  return `${port.protocol}:${port.host}:${port.guest}`;
}

/**
 * Refuses what systemd-nspawn would refuse or silently ignore at start: a port with a network that nspawn does not
 * make itself (systemd.nspawn(5): Port= is only possible with private networking), and one host port used twice.
 */
export function validateNetworking(network: Network, ports: readonly PortMapping[]): void {
  if (ports.length > 0 && (network.kind === 'host' || network.kind === 'none')) {
    throw new Failure('invalid', `ports cannot be published with the network "${network.kind}"`, {
      hint: 'Leave out --port, or use --network veth, bridge:NAME or zone:NAME.',
    });
  }
  const seen = new Set<string>();
  for (const port of ports) {
    const key = `${port.protocol}:${port.host}`;
    if (seen.has(key)) throw new Failure('invalid', `host port ${key} is published twice`);
    seen.add(key);
  }
}

function splitOnce(value: string): [string, string | undefined] {
  const at = value.indexOf(':');
  return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
}
