import { UnitFile } from '../unitfile/unitfile.ts';
import { parseEngineChoice, type EngineChoice } from './engine.ts';
import { Failure } from './failure.ts';
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
  upgrade: Schedule;
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  Guest: ['From', 'Mirror', 'Repo', 'Remote', 'Engine'],
  Network: ['Mode', 'Port'],
  Upgrade: ['Window', 'OnCalendar', 'RandomizedDelaySec'],
};

export function parseDefinition(name: GuestName, text: string): Definition {
  const label = `${name}.guest`;
  const file = UnitFile.parse(text, label);
  for (const section of file.sections()) {
    const known = KEYS[section];
    if (known === undefined) {
      throw new Failure('invalid', `${label}: unknown section [${section}]`, {
        hint: `Known sections: ${Object.keys(KEYS).join(', ')}.`,
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
  const engine = parseEngineChoice(file.lookup('Guest', 'Engine') ?? 'auto');
  return { name, source, engine, network, ports, upgrade: parseSchedule(file) };
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
  addSchedule(file, definition.upgrade);
  return file.toString();
}

function addSchedule(file: UnitFile, { windows, onCalendar, randomizedDelaySec }: Schedule): void {
  for (const window of windows) file.add('Upgrade', 'Window', formatWindow(window));
  if (onCalendar.join('\n') !== DEFAULT_SCHEDULE.onCalendar.join('\n'))
    for (const event of onCalendar) file.add('Upgrade', 'OnCalendar', event);
  if (randomizedDelaySec !== DEFAULT_SCHEDULE.randomizedDelaySec)
    file.add('Upgrade', 'RandomizedDelaySec', randomizedDelaySec);
}
