import { UnitFile } from '../unitfile/unitfile.ts';
import { CHECK_KEYS, isCheckSection, parseChecks, renderChecks, type Check } from './check.ts';
import { formatSeconds, parseSeconds } from './duration.ts';
import { parseEngineChoice, type EngineChoice } from './engine.ts';
import { Failure } from './failure.ts';
import { formatListen, parseListen, validateListens, type Listen } from './listen.ts';
import {
  formatNetwork,
  formatPort,
  parseNetwork,
  parsePort,
  validateNetworking,
  type Network,
  type PortMapping,
} from './network.ts';
import { quoted, type GuestName } from './names.ts';
import { DEFAULT_SCHEDULE, parseCalendar, parseTimeSpan, type Schedule } from './schedule.ts';
import { formatSource, parseSource, type Source } from './source.ts';
import { parseSwitching, renderSwitching, SWITCH_KEYS, type Switching } from './switching.ts';
import { formatWindow, parseWindow } from './window.ts';

/**
 * What the administrator decided about a guest: /etc/guestree/NAME.guest, in unit-file syntax. What guestree finds
 * out or chooses (commits, requested packages, machine id) lives in the generation records and not here, because
 * /etc of an ostree host goes back in time when the host is rolled back.
 */
export interface Definition {
  name: GuestName;
  source: Source;
  engine: EngineChoice;
  network: Network;
  ports: PortMapping[];
  switching: Switching;
  checks: Check[];
  /** Ports of the host that stay open while the guest is switched. */
  listens: Listen[];
  /** Seconds that connections over held ports get to end by themselves before a switch stops the guest. */
  drainSeconds: number;
  upgrade: Schedule;
}

/** Half a second: what is short ends, and what is long does not make everybody else wait. */
export const DRAIN_SECONDS = 0.5;

/** Sections with their keys; `[Check NAME]` has CHECK_KEYS. */
export const KEYS: Readonly<Record<string, readonly string[]>> = {
  Guest: ['From', 'Mirror', 'Repo', 'Remote', 'Engine'],
  Network: ['Mode', 'Port', 'Listen'],
  Switch: [...SWITCH_KEYS, 'DrainSec'],
  Upgrade: ['Window', 'OnCalendar', 'RandomizedDelaySec'],
};

export function parseDefinition(name: GuestName, text: string): Definition {
  const label = `${name}.guest`;
  const file = UnitFile.parse(text, label);
  for (const section of file.sections()) {
    const known = isCheckSection(section) ? CHECK_KEYS : KEYS[section];
    if (known === undefined) {
      throw new Failure('invalid', `${label}: unknown section [${section}]`, {
        hint: `Known sections: ${Object.keys(KEYS).join(', ')}, Check NAME.`,
      });
    }
    for (const key of file.keys(section)) {
      if (known.includes(key)) continue;
      throw new Failure('invalid', `${label}: unknown key ${quoted(key)} in [${section}]`, {
        hint: `Known keys of [${section}]: ${known.join(', ')}.`,
      });
    }
  }
  const from = file.lookup('Guest', 'From');
  if (from === undefined || from === '') {
    throw new Failure('invalid', `${label}: From= is missing in [Guest]`, {
      hint: 'For example: From=debian:trixie',
    });
  }
  const source = parseSource(from, {
    mirror: file.lookup('Guest', 'Mirror'),
    repo: file.lookup('Guest', 'Repo'),
    remote: file.lookup('Guest', 'Remote'),
  });
  const network = parseNetwork(file.lookup('Network', 'Mode') ?? 'veth');
  const ports = file.lookupAllWords('Network', 'Port').map(parsePort);
  validateNetworking(network, ports);
  const listens = file.lookupAllWords('Network', 'Listen').map(parseListen);
  validateListens(network, ports, listens);
  const drain = file.lookup('Switch', 'DrainSec') ?? '';
  const drainSeconds = drain === '' ? DRAIN_SECONDS : parseSeconds(drain, 'DrainSec');
  const engine = parseEngineChoice(file.lookup('Guest', 'Engine') ?? 'auto');
  const switching = parseSwitching(file);
  const checks = parseChecks(file, label);
  if (switching.strategy === 'blue-green') requireBeside(switching, listens, ports);
  const upgrade = parseSchedule(file);
  return { name, source, engine, network, ports, listens, drainSeconds, switching, checks, upgrade };
}

function parseSchedule(file: UnitFile): Schedule {
  const calendar = file.lookupAll('Upgrade', 'OnCalendar').map(parseCalendar);
  const delay = file.lookup('Upgrade', 'RandomizedDelaySec') ?? '';
  return {
    windows: file.lookupAll('Upgrade', 'Window').map(parseWindow),
    onCalendar: calendar.length === 0 ? DEFAULT_SCHEDULE.onCalendar : calendar,
    randomizedDelaySec: delay === '' ? DEFAULT_SCHEDULE.randomizedDelaySec : parseTimeSpan(delay),
  };
}

/** The administrator's text with another source; comments and everything else of it stay. */
export function rebaseDefinition(name: GuestName, text: string, source: Source): string {
  const file = UnitFile.parse(text, `${name}.guest`);
  if (formatSource(parseDefinition(name, text).source) !== formatSource(source))
    file.set('Guest', 'From', formatSource(source));
  const options: Record<string, string | undefined> = {
    Mirror: source.kind === 'debian' ? source.mirror : undefined,
    Repo: source.kind === 'ostree' ? source.repo : undefined,
    Remote: source.kind === 'ostree' ? source.remote : undefined,
  };
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) file.remove('Guest', key);
    else if (file.lookup('Guest', key) !== value) file.set('Guest', key, value);
  }
  return file.toString();
}

export function renderDefinition(definition: Definition): string {
  const { source } = definition;
  const file = UnitFile.parse(`# Guest ${definition.name}, see guestree(1).\n`);
  file.add('Guest', 'From', formatSource(source));
  if (source.kind === 'debian' && source.mirror !== undefined) file.add('Guest', 'Mirror', source.mirror);
  if (source.kind === 'ostree' && source.repo !== undefined) file.add('Guest', 'Repo', source.repo);
  if (source.kind === 'ostree' && source.remote !== undefined) file.add('Guest', 'Remote', source.remote);
  if (definition.engine !== 'auto') file.add('Guest', 'Engine', definition.engine);
  file.add('Network', 'Mode', formatNetwork(definition.network));
  for (const port of definition.ports) file.add('Network', 'Port', formatPort(port));
  for (const listen of definition.listens) file.add('Network', 'Listen', formatListen(listen));
  if (definition.drainSeconds !== DRAIN_SECONDS)
    file.add('Switch', 'DrainSec', formatSeconds(definition.drainSeconds));
  renderSwitching(file, definition.switching);
  renderChecks(file, definition.checks);
  addSchedule(file, definition.upgrade);
  return file.toString();
}

/** Two instances at once need a way to move connections from one to the other, and a /var that both may use. */
function requireBeside(
  switching: Switching,
  listens: readonly Listen[],
  ports: readonly PortMapping[],
): void {
  const missing =
    listens.length === 0
      ? 'Listen= in [Network]: only held ports can be moved'
      : ports.length > 0
        ? 'no Port= in [Network]: a published port cannot be moved'
        : switching.sharedVar
          ? undefined
          : 'SharedVar=yes in [Switch]: for a moment two instances use the same /var';
  if (missing === undefined) return;
  throw new Failure('invalid', `Strategy=blue-green needs ${missing}`, {
    hint: 'A guest that cannot have that, such as a database, is switched with Strategy=restart.',
  });
}

function addSchedule(file: UnitFile, { windows, onCalendar, randomizedDelaySec }: Schedule): void {
  for (const window of windows) file.add('Upgrade', 'Window', formatWindow(window));
  if (onCalendar.join('\n') !== DEFAULT_SCHEDULE.onCalendar.join('\n'))
    for (const event of onCalendar) file.add('Upgrade', 'OnCalendar', event);
  if (randomizedDelaySec !== DEFAULT_SCHEDULE.randomizedDelaySec)
    file.add('Upgrade', 'RandomizedDelaySec', randomizedDelaySec);
}
