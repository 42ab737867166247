import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatListen,
  heldPorts,
  parseListen,
  validateListens,
  type Listen,
} from '../../../src/model/listen.ts';
import { parseNetwork, parsePort } from '../../../src/model/network.ts';
import { failureOf, unlessRefused } from '../failures.ts';
import { listens } from './arbitraries.ts';

const veth = parseNetwork('veth');

describe('a held port', () => {
  test.each<[string, Listen]>([
    ['tcp:25', { address: undefined, host: 25, guest: 25 }],
    ['tcp:2525:25', { address: undefined, host: 2525, guest: 25 }],
    ['tcp:127.0.0.1:25', { address: '127.0.0.1', host: 25, guest: 25 }],
    ['tcp:127.0.0.1:2525:25', { address: '127.0.0.1', host: 2525, guest: 25 }],
    ['tcp:[::1]:25', { address: '::1', host: 25, guest: 25 }],
    ['tcp:[::1]:2525:25', { address: '::1', host: 2525, guest: 25 }],
    ['tcp:[::]:25', { address: '::', host: 25, guest: 25 }],
  ])('is read from %s and written back', (text, listen) => {
    expect(parseListen(text)).toEqual(listen);
    expect(formatListen(listen)).toBe(text);
  });

  test('has one spelling of each address', () => {
    expect(parseListen('tcp:[0:0:0:0:0:0:0:1]:25')).toEqual(parseListen('tcp:[::1]:25'));
    expect(parseListen('tcp:[2001:DB8::0a]:25').address).toBe('2001:db8::a');
  });

  test.each([
    '',
    'tcp',
    'tcp:',
    '25',
    'tcp:0',
    'tcp:65536',
    'tcp:1:0',
    'tcp:1:2:3',
    'tcp:::1:25',
    'tcp:[::1]',
    'tcp:[::1]25',
    'tcp:[127.0.0.1]:25',
    'tcp:[fe80::1%eth0]:25',
    'tcp:[]:25',
    'tcp:127.0.0.1',
    'tcp:127.0.0.256:25',
    'tcp:127.1:25',
    'tcp:localhost:25',
    'tcp:example.org:25',
    'sctp:25',
    'TCP:25',
    'tcp:25\n',
    'tcp: 25',
    'tcp:٣',
  ])('is not %j', (text) => {
    const failure = failureOf(() => parseListen(text));
    expect(failure.reason).toBe('invalid');
    expect(failure.hint).toContain('tcp:');
  });

  test('of UDP is refused, and the way that UDP has is named', () => {
    expect(failureOf(() => parseListen('udp:53')).hint).toContain('Port=');
  });

  test('of any address and numbers survives being written and read', () => {
    fc.assert(
      fc.property(listens, (listen) => {
        expect(parseListen(formatListen(listen))).toEqual(listen);
      }),
    );
  });

  test('from any string is an address and ports within 1 to 65535, or refused', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^tcp:(\[[0-9a-f:]{0,9}\]:|[0-9.]{0,9}:)?\d{1,6}(:\d{1,6})?$/),
        (text) => {
          const listen = unlessRefused(() => parseListen(text));
          return (
            listen === undefined || [listen.host, listen.guest].every((port) => port >= 1 && port <= 65_535)
          );
        },
      ),
    );
  });
});

describe('held ports', () => {
  test('of one number on several addresses are one', () => {
    const both = ['tcp:127.0.0.1:2525:25', 'tcp:[::1]:2525:25', 'tcp:80'].map(parseListen);
    expect(() => validateListens(veth, [], both)).not.toThrow();
    expect(heldPorts(both)).toEqual([
      { host: 2525, guest: 25, addresses: ['127.0.0.1', '::1'] },
      { host: 80, guest: 80, addresses: [] },
    ]);
  });

  test.each<[string, string[], string[], string, string]>([
    ['for the network of the host', [], ['tcp:25'], 'host', '"host"'],
    ['that are published, too', ['tcp:25:2525'], ['tcp:25'], 'veth', 'both published'],
    ['twice', [], ['tcp:25', 'tcp:25:26'], 'veth', 'twice'],
    ['twice on one address', [], ['tcp:[::1]:25', 'tcp:[0::1]:25'], 'veth', 'twice'],
    ['on all addresses and on one', [], ['tcp:25', 'tcp:127.0.0.1:25'], 'veth', 'twice'],
    ['that lead to two ports', [], ['tcp:127.0.0.1:25', 'tcp:[::1]:25:26'], 'veth', 'two ports'],
  ])('are refused %s', (_, ports, held, network, message) => {
    const failure = failureOf(() =>
      validateListens(parseNetwork(network), ports.map(parsePort), held.map(parseListen)),
    );
    expect(failure.message).toContain(message);
    expect(failure.hint).toMatch(/\.$/);
  });

  test('go together with a published UDP port of the same number, and with no other network', () => {
    expect(() => validateListens(veth, [parsePort('udp:53:53')], [parseListen('tcp:53')])).not.toThrow();
    expect(() => validateListens(parseNetwork('none'), [], [parseListen('tcp:53')])).not.toThrow();
  });
});
