import fc from 'fast-check';
import { ENGINE_CHOICES } from '../../../src/model/engine.ts';
import type { Definition } from '../../../src/model/definition.ts';
import {
  parseCleanPath,
  parseGuestName,
  parseRefName,
  type GuestName,
  type RefName,
} from '../../../src/model/names.ts';
import { type Network, type PortMapping } from '../../../src/model/network.ts';
import { parseSource, type Source } from '../../../src/model/source.ts';
import type { Schedule } from '../../../src/model/schedule.ts';
import type { Weekday, Window } from '../../../src/model/window.ts';
import { unlessRefused } from '../failures.ts';

/** Values that the parsers accept, as wild as they accept them. */

const guestNames: fc.Arbitrary<GuestName> = fc
  .stringMatching(/^[a-z](?:-?[a-z0-9]){0,20}$/)
  .map(parseGuestName);

const refNames: fc.Arbitrary<RefName> = fc
  .stringMatching(/^[a-z0-9_][a-z0-9_-]{0,8}(?:\/[a-z0-9_][a-z0-9_-]{0,8}){0,3}$/)
  .map(parseRefName);

const cleanPaths: fc.Arbitrary<string> = fc
  .array(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), { maxLength: 4 })
  .map((parts) => `/${parts.join('/')}`)
  .filter((path) => unlessRefused(() => parseCleanPath(path)) !== undefined);

export const networks: fc.Arbitrary<Network> = fc.oneof(
  fc.constantFrom<Network[]>({ kind: 'veth' }, { kind: 'host' }, { kind: 'none' }),
  fc.record({
    kind: fc.constant('bridge' as const),
    name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/),
  }),
  fc.record({
    kind: fc.constant('zone' as const),
    name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,11}$/),
  }),
);

const portNumbers = fc.integer({ min: 1, max: 65_535 });

export const portMappings: fc.Arbitrary<PortMapping> = fc.record({
  protocol: fc.constantFrom('tcp', 'udp'),
  host: portNumbers,
  guest: portNumbers,
});

const mirrors = fc
  .webUrl({ withFragments: true, withQueryParameters: true })
  .filter((url) => unlessRefused(() => parseSource('debian:trixie', { mirror: url })) !== undefined);

export const sources: fc.Arbitrary<Source> = fc.oneof(
  fc.record({
    kind: fc.constant('debian' as const),
    suite: fc.stringMatching(/^[a-z][a-z0-9-]{1,30}$/),
    mirror: fc.option(mirrors, { nil: undefined }),
  }),
  fc.record({ kind: fc.constantFrom('dir' as const, 'tar' as const), path: cleanPaths }),
  fc.record({
    kind: fc.constant('ostree' as const),
    ref: refNames,
    repo: fc.option(cleanPaths, { nil: undefined }),
    remote: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/), { nil: undefined }),
  }),
);

const weekdays = fc.constantFrom<Weekday[]>(0, 1, 2, 3, 4, 5, 6);

export const windows: fc.Arbitrary<Window> = fc
  .record({
    days: fc
      .uniqueArray(weekdays, { minLength: 1 })
      .map((days): readonly Weekday[] => days.sort((a, b) => a - b)),
    start: fc.integer({ min: 0, max: 1439 }),
    end: fc.integer({ min: 1, max: 1440 }),
  })
  .filter(({ start, end }) => start !== end);

const schedules: fc.Arbitrary<Schedule> = fc.record({
  windows: fc.array(windows, { maxLength: 3 }),
  onCalendar: fc.array(
    fc.constantFrom('hourly', 'daily', 'Sat *-*-* 03:00:00', '*:0/15', 'Mon 04:00 Europe/Berlin'),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  randomizedDelaySec: fc.constantFrom('15min', '0', '1h 30min', '2.5 hours'),
});

export const definitions: fc.Arbitrary<Definition> = fc
  .record({
    name: guestNames,
    source: sources,
    engine: fc.constantFrom(...ENGINE_CHOICES),
    network: networks,
    upgrade: schedules,
    ports: fc.uniqueArray(portMappings, {
      maxLength: 5,
      selector: (port) => `${port.protocol}:${port.host}`,
    }),
  })
  .map((definition) =>
    definition.network.kind === 'host' || definition.network.kind === 'none'
      ? { ...definition, ports: [] }
      : definition,
  );
