import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { parseNetwork, parsePort } from '../../../src/model/network.ts';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import { renderGenerationDropIn, renderNspawn, type MachineFacts } from '../../../src/units/nspawn.ts';
import { failureOf, unlessRefused } from '../failures.ts';
import { networks, portMappings } from '../model/arbitraries.ts';
import { expectGolden } from './golden.ts';

const DEPLOY = '/run/guestree/state/guests/mail/sysroot/ostree/deploy/mail';

const MAIL: MachineFacts = {
  name: parseGuestName('mail'),
  generation: 7,
  etc: `${DEPLOY}/deploy/${'0f'.repeat(32)}.0/etc`,
  variable: `${DEPLOY}/var`,
  network: { kind: 'veth' },
  ports: [],
};

describe('the .nspawn file', () => {
  test.each(['veth', 'host', 'none', 'bridge:br0', 'zone:front'])(
    'of the network %s is the golden one',
    (text) => {
      expectGolden(
        `network-${text.replace(':', '-')}.nspawn`,
        renderNspawn({ ...MAIL, network: parseNetwork(text) }),
      );
    },
  );

  test('with ports is the golden one', () => {
    const ports = ['tcp:25:25', 'udp:53:5353', 'tcp:8080:80'].map(parsePort);
    expectGolden('ports.nspawn', renderNspawn({ ...MAIL, ports }));
  });

  test('with held ports is the golden one, also without another network', () => {
    const network = parseNetwork('none');
    expectGolden('held.nspawn', renderNspawn({ ...MAIL, network, link: 'gt-17' }));
  });

  test('locks the guest in, whatever its network and ports', () => {
    fc.assert(
      fc.property(networks, fc.array(portMappings), (network, ports) => {
        const file = UnitFile.parse(renderNspawn({ ...MAIL, network, ports }));
        expect(file.sections()).toEqual(['Exec', 'Files', 'Network']);
        expect(file.lookupAll('Exec', 'PrivateUsers')).toEqual(['pick']);
        expect(file.lookupAll('Files', 'PrivateUsersOwnership')).toEqual(['map']);
        expect(file.lookupAll('Files', 'ReadOnly')).toEqual(['yes']);
        expect(file.lookupAll('Files', 'Bind')).toEqual([
          `${MAIL.etc}:/etc:idmap`,
          `${MAIL.variable}:/var:idmap`,
        ]);
        expect(file.keys('Exec')).not.toContain('Capability');
        expect(file.lookupAll('Network', 'Port')).toHaveLength(ports.length);
      }),
    );
  });

  test('never has the network of the host unless it was asked for', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const file = UnitFile.parse(renderNspawn({ ...MAIL, network }));
        expect(file.lookup('Network', 'Private') === 'no').toBe(network.kind === 'host');
      }),
    );
  });

  test.each(['/a:/etc', '/a\nPrivateUsers=no', '/../x', '/a%h', 'a', '/a"b'])('does not bind %j', (path) => {
    expect(failureOf(() => renderNspawn({ ...MAIL, etc: path })).reason).toBe('invalid');
    expect(failureOf(() => renderNspawn({ ...MAIL, variable: path })).reason).toBe('invalid');
  });

  test('binds any path that it takes as one source with one destination', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        const text = unlessRefused(() => renderNspawn({ ...MAIL, etc: `/${path}` }));
        if (text === undefined) return;
        const [etc, variable] = UnitFile.parse(text).lookupAll('Files', 'Bind');
        expect(etc?.split(':')).toEqual([`/${path}`, '/etc', 'idmap']);
        expect(variable).toBe(`${MAIL.variable}:/var:idmap`);
      }),
    );
  });
});

describe('the drop-in of a generation', () => {
  test('is the golden one', () => {
    expectGolden('generation.conf', renderGenerationDropIn(parseGuestName('mail'), 7));
  });
});
