import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatListen, parseListen } from '../../../src/model/listen.ts';
import { parseGuestName } from '../../../src/model/names.ts';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import {
  isPortUnit,
  LINK_TEMPLATE,
  PORTS_TEMPLATE,
  renderLinkTemplate,
  renderPair,
  renderPortsTemplate,
  renderPortUnits,
} from '../../../src/units/ports.ts';
import { listens } from '../model/arbitraries.ts';
import { expectGolden } from './golden.ts';

const mail = parseGuestName('mail');
const PAIR = { number: 17 };
const LISTENS = ['tcp:127.0.0.1:2525:25', 'tcp:[::1]:2525:25', 'tcp:587'].map(parseListen);

describe('the units of held ports', () => {
  test('are the golden ones', () => {
    for (const [name, text] of renderPortUnits(mail, PAIR, LISTENS)) expectGolden(`ports/${name}`, text);
    expectGolden(`ports/${LINK_TEMPLATE}`, renderLinkTemplate());
    expectGolden(`ports/${PORTS_TEMPLATE}`, renderPortsTemplate());
    expectGolden('ports/pair', renderPair(mail, PAIR, 'own', LISTENS));
    expectGolden('ports/next-pair', renderPair(mail, PAIR, 'next', LISTENS));
  });

  test('listen on IPv4, IPv6 and loopback at once when no address is named', () => {
    const units = renderPortUnits(mail, PAIR, [parseListen('tcp:25')]);
    const socket = UnitFile.parse(units.get('guestree-listen-25@mail.socket') ?? '');
    expect(socket.lookupAll('Socket', 'ListenStream')).toEqual(['25']);
    expect(socket.lookup('Socket', 'BindIPv6Only')).toBe('both');
  });

  test('never stop for a limit of connections or starts', () => {
    fc.assert(
      fc.property(fc.uniqueArray(listens, { selector: ({ host }) => host, maxLength: 4 }), (held) => {
        for (const [name, text] of renderPortUnits(mail, PAIR, held)) {
          const file = UnitFile.parse(text);
          if (name.endsWith('.socket')) expect(file.lookup('Socket', 'TriggerLimitIntervalSec')).toBe('0');
          else expect(file.lookup('Unit', 'StartLimitIntervalSec')).toBe('0');
          expect(isPortUnit(name, mail), name).toBe(true);
          expect(isPortUnit(name, parseGuestName('mail-2')), name).toBe(false);
        }
        const streams = held.map((listen) =>
          UnitFile.parse(
            renderPortUnits(mail, PAIR, [listen]).get(`guestree-listen-${listen.host}@mail.socket`) ?? '',
          ).lookup('Socket', 'ListenStream'),
        );
        expect(streams).toEqual(
          held.map((listen) => formatListen({ ...listen, guest: listen.host }).replace(/^tcp:/, '')),
        );
      }),
    );
  });
});

test.each([
  'guestree-ports@mail.service',
  'guestree-state.service',
  'guestree-listen-25@mail-2.socket',
  'guestree-listen-25@mail.target',
  'guestree-channel-25-c@mail.socket',
  'guestree-listen-x@mail.socket',
])('%s is none of the units that are rendered for the guest "mail"', (name) => {
  expect(isPortUnit(name, mail)).toBe(false);
});
