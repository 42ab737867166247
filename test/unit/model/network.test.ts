import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatNetwork,
  formatPort,
  parseNetwork,
  parsePort,
  validateNetworking,
  type Network,
} from '../../../src/model/network.ts';
import { failureOf, unlessRefused } from '../failures.ts';
import { networks, portMappings } from './arbitraries.ts';

describe('a network', () => {
  test.each<[string, Network]>([
    ['veth', { kind: 'veth' }],
    ['host', { kind: 'host' }],
    ['none', { kind: 'none' }],
    ['bridge:br0', { kind: 'bridge', name: 'br0' }],
    ['bridge:br-lan.100', { kind: 'bridge', name: 'br-lan.100' }],
    ['zone:front', { kind: 'zone', name: 'front' }],
  ])('is read from %s and written back', (text, network) => {
    expect(parseNetwork(text)).toEqual(network);
    expect(formatNetwork(network)).toBe(text);
  });

  test.each([
    '',
    'VETH',
    'veth ',
    'bridge',
    'bridge:',
    'zone:',
    'veth:x',
    'bridge:../x',
    'bridge:-x',
    'bridge:a b',
    'bridge:a\nb',
    'bridge:a/b',
    'bridge:a:b',
    'zone:a.b',
    'zone:ä',
    'macvlan:eth0',
  ])('is not %j', (text) => {
    const failure = failureOf(() => parseNetwork(text));
    expect(failure.reason).toBe('invalid');
    expect(failure.hint).toContain('zone:NAME');
  });

  test('has an interface name of at most 15 characters, for a zone after "vz-"', () => {
    expect(parseNetwork(`bridge:${'b'.repeat(15)}`)).toEqual({ kind: 'bridge', name: 'b'.repeat(15) });
    expect(failureOf(() => parseNetwork(`bridge:${'b'.repeat(16)}`)).reason).toBe('invalid');
    expect(parseNetwork(`zone:${'z'.repeat(12)}`)).toEqual({ kind: 'zone', name: 'z'.repeat(12) });
    expect(failureOf(() => parseNetwork(`zone:${'z'.repeat(13)}`)).reason).toBe('invalid');
  });

  test('of any kind survives being written and read', () => {
    fc.assert(
      fc.property(networks, (network) => {
        expect(parseNetwork(formatNetwork(network))).toEqual(network);
      }),
    );
  });
});

describe('a port', () => {
  test.each([
    ['tcp:25:25', { protocol: 'tcp', host: 25, guest: 25 }],
    ['udp:53:5353', { protocol: 'udp', host: 53, guest: 5353 }],
    ['tcp:80', { protocol: 'tcp', host: 80, guest: 80 }],
    ['tcp:65535:1', { protocol: 'tcp', host: 65_535, guest: 1 }],
  ])('is read from %s', (text, port) => {
    expect(parsePort(text)).toEqual(port);
  });

  test.each([
    '',
    '25',
    'tcp',
    'tcp:',
    'tcp:0',
    'tcp:65536',
    'tcp:1:65536',
    'tcp:1:0',
    'tcp:-1',
    'tcp:1:2:3',
    'sctp:1:1',
    'TCP:1:1',
    'tcp:1e3',
    'tcp: 1',
    'tcp:1\n',
    'tcp:0x10',
    'tcp:999999',
    'tcp:٣',
  ])('is not %j', (text) => {
    expect(failureOf(() => parsePort(text)).reason).toBe('invalid');
  });

  test('of any number survives being written and read', () => {
    fc.assert(
      fc.property(portMappings, (port) => {
        expect(parsePort(formatPort(port))).toEqual(port);
      }),
    );
  });

  test('from any string is within 1 to 65535, or refused', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^(tcp|udp):\d{1,7}(:\d{1,7})?$/), (text) => {
        const port = unlessRefused(() => parsePort(text));
        return (
          port === undefined || [port.host, port.guest].every((number) => number >= 1 && number <= 65_535)
        );
      }),
    );
  });
});

describe('ports with a network', () => {
  const http = parsePort('tcp:80:80');

  test.each(['host', 'none'] as const)('are refused with the network %s, which has no own ports', (kind) => {
    const failure = failureOf(() => validateNetworking({ kind }, [http]));
    expect(failure.message).toContain(`"${kind}"`);
    expect(() => validateNetworking({ kind }, [])).not.toThrow();
  });

  test.each(['veth', 'bridge:br0', 'zone:front'])('are taken with the network %s', (network) => {
    expect(() => validateNetworking(parseNetwork(network), [http])).not.toThrow();
  });

  test('are refused if a host port is published twice, but tcp and udp are different ports', () => {
    const veth = parseNetwork('veth');
    const twice = [http, parsePort('tcp:80:8080')];
    expect(failureOf(() => validateNetworking(veth, twice)).message).toContain('tcp:80');
    expect(() => validateNetworking(veth, [http, parsePort('udp:80:80')])).not.toThrow();
    expect(() => validateNetworking(veth, [http, parsePort('tcp:81:80')])).not.toThrow();
  });
});
