import type { UnitFile } from '../unitfile/unitfile.ts';
import { formatSeconds, parseBoolean, parseSeconds } from './duration.ts';
import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/** What is asked of a guest to know whether it is healthy: `[Check NAME]` in its definition. */
export interface Check {
  name: string;
  probe: Probe;
  /** Whether the preflight asks too: it has a loopback interface and no other network. */
  preflight: boolean;
  /** A wanted check is reported and stops nothing. */
  wanted: boolean;
  /** Seconds that one try may take. */
  timeout: number;
  /** How often it is tried again before it has failed. */
  retries: number;
  /** Seconds between tries. */
  interval: number;
}

export type Probe =
  /** A command line for /bin/sh in the guest: healthy if it exits with 0. */
  | { kind: 'exec'; command: string }
  /** A port on the guest's loopback interface that accepts a connection. */
  | { kind: 'tcp'; port: number }
  /** A URL, seen from inside the guest's network, that answers with a status below 400. */
  | { kind: 'http'; url: string };

export const CHECK_KEYS = [
  'Exec',
  'Tcp',
  'Http',
  'Preflight',
  'Wanted',
  'TimeoutSec',
  'Retries',
  'IntervalSec',
];
const PREFIX = 'Check ';
const DEFAULTS = { preflight: false, wanted: false, timeout: 10, retries: 5, interval: 2 };

export function isCheckSection(section: string): boolean {
  return section.startsWith(PREFIX);
}

/** @throws Failure `invalid` if a check cannot be read; unknown keys are the caller's to refuse */
export function parseChecks(file: UnitFile, label: string): Check[] {
  return file
    .sections()
    .filter(isCheckSection)
    .map((section) => parseCheck(file, section, label));
}

function parseCheck(file: UnitFile, section: string, label: string): Check {
  const name = section.slice(PREFIX.length);
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,39}$/.test(name)) {
    throw new Failure('invalid', `${label}: ${quoted(name)} cannot be the name of a check`, {
      hint: 'Write for example: [Check smtp]',
    });
  }
  const seconds = (key: string, otherwise: number): number => {
    const value = file.lookup(section, key);
    return value === undefined || value === '' ? otherwise : parseSeconds(value, key);
  };
  const boolean = (key: string, otherwise: boolean): boolean => {
    const value = file.lookup(section, key);
    return value === undefined || value === '' ? otherwise : parseBoolean(value, key);
  };
  return {
    name,
    probe: parseProbe(file, section, label),
    preflight: boolean('Preflight', DEFAULTS.preflight),
    wanted: boolean('Wanted', DEFAULTS.wanted),
    timeout: seconds('TimeoutSec', DEFAULTS.timeout),
    retries: parseCount(file.lookup(section, 'Retries'), DEFAULTS.retries),
    interval: seconds('IntervalSec', DEFAULTS.interval),
  };
}

function parseProbe(file: UnitFile, section: string, label: string): Probe {
  const given = (['Exec', 'Tcp', 'Http'] as const).flatMap((key) => {
    const value = file.lookup(section, key) ?? '';
    return value === '' ? [] : [{ key, value }];
  });
  const [only, ...more] = given;
  if (only === undefined || more.length > 0) {
    throw new Failure('invalid', `${label}: [${section}] needs one of Exec=, Tcp= and Http=`, {
      hint: 'For example: Tcp=25',
    });
  }
  switch (only.key) {
    case 'Exec':
      return { kind: 'exec', command: only.value };
    case 'Tcp': {
      const port = Number(only.value);
      if (/^[0-9]{1,5}$/.test(only.value) && port >= 1 && port <= 65_535) return { kind: 'tcp', port };
      throw new Failure('invalid', `${label}: Tcp=: ${quoted(only.value)} is not a port from 1 to 65535`);
    }
    case 'Http':
      if (URL.canParse(only.value) && /^https?:\/\//.test(only.value))
        return { kind: 'http', url: only.value };
      throw new Failure('invalid', `${label}: Http=: ${quoted(only.value)} is not an http or https URL`, {
        hint: 'It is seen from inside the guest, for example: Http=http://127.0.0.1:8080/health',
      });
  }
}

function parseCount(value: string | undefined, otherwise: number): number {
  if (value === undefined || value === '') return otherwise;
  if (/^[0-9]{1,3}$/.test(value)) return Number(value);
  throw new Failure('invalid', `Retries=: ${quoted(value)} is not a number from 0 to 999`);
}

export function renderChecks(file: UnitFile, checks: readonly Check[]): void {
  for (const check of checks) {
    const section = `${PREFIX}${check.name}`;
    const { probe } = check;
    if (probe.kind === 'exec') file.add(section, 'Exec', probe.command);
    if (probe.kind === 'tcp') file.add(section, 'Tcp', String(probe.port));
    if (probe.kind === 'http') file.add(section, 'Http', probe.url);
    if (check.preflight) file.add(section, 'Preflight', 'yes');
    if (check.wanted) file.add(section, 'Wanted', 'yes');
    if (check.timeout !== DEFAULTS.timeout) file.add(section, 'TimeoutSec', formatSeconds(check.timeout));
    if (check.retries !== DEFAULTS.retries) file.add(section, 'Retries', String(check.retries));
    if (check.interval !== DEFAULTS.interval) file.add(section, 'IntervalSec', formatSeconds(check.interval));
  }
}
