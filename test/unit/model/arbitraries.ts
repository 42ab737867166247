import fc from 'fast-check';
import { ENGINE_CHOICES } from '../../../src/model/engine.ts';
import type { Check } from '../../../src/model/check.ts';
import type { Definition } from '../../../src/model/definition.ts';
import {
  parseCleanPath,
  parseGuestName,
  parseRefName,
  type GuestName,
  type RefName,
} from '../../../src/model/names.ts';
import type { Listen } from '../../../src/model/listen.ts';
import { type Network, type PortMapping } from '../../../src/model/network.ts';
import { parseSource, type Source } from '../../../src/model/source.ts';
import { STRATEGIES, type Switching } from '../../../src/model/switching.ts';
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

export const listens: fc.Arbitrary<Listen> = fc.record({
  address: fc.option(
    fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1)),
    ),
    { nil: undefined },
  ),
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

const seconds = fc.oneof(
  fc.integer({ min: 0, max: 86_400 }),
  fc.integer({ min: 1, max: 5000 }).map((ms) => ms / 1000),
);

const switchings: fc.Arbitrary<Switching> = fc.record({
  strategy: fc.constantFrom(...STRATEGIES),
  preflight: fc.boolean(),
  preflightTimeout: seconds,
  healthTimeout: seconds,
  settle: seconds,
  sharedVar: fc.boolean(),
});

const checks: fc.Arbitrary<Check> = fc.record({
  name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,39}$/),
  probe: fc.oneof(
    fc.record({
      kind: fc.constant('exec' as const),
      command: fc.stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/).filter((text) => !text.endsWith('\\')),
    }),
    fc.record({ kind: fc.constant('tcp' as const), port: portNumbers }),
    fc.record({
      kind: fc.constant('http' as const),
      url: fc.constantFrom('http://127.0.0.1:80/', 'https://[::1]/x?y=%20'),
    }),
  ),
  preflight: fc.boolean(),
  wanted: fc.boolean(),
  timeout: seconds,
  retries: fc.integer({ min: 0, max: 999 }),
  interval: seconds,
});

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
    switching: switchings,
    checks: fc.uniqueArray(checks, { maxLength: 3, selector: (check) => check.name }),
    listens: fc.uniqueArray(listens, { maxLength: 5, selector: (listen) => listen.host }),
    drainSeconds: fc.integer({ min: 0, max: 86_400_000 }).map((milliseconds) => milliseconds / 1000),
  })
  .map((definition) => {
    const { kind } = definition.network;
    const published = new Set(definition.ports.map((port) => port.host));
    const ports = kind === 'host' || kind === 'none' ? [] : definition.ports;
    const held = kind === 'host' ? [] : definition.listens.filter(({ host }) => !published.has(host));
    const movable = held.length > 0 && ports.length === 0 && definition.switching.sharedVar;
    const strategy = movable ? definition.switching.strategy : 'restart';
    return { ...definition, ports, listens: held, switching: { ...definition.switching, strategy } };
  });
