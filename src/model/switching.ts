import type { UnitFile } from '../unitfile/unitfile.ts';
import { formatSeconds, parseBoolean, parseSeconds } from './duration.ts';
import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/** How a running guest gets to another generation. */
export const STRATEGIES = ['restart', 'none', 'blue-green'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** `[Switch]` of a definition. Times are seconds. */
export interface Switching {
  strategy: Strategy;
  /** Whether the new generation is booted beside the running one first. */
  preflight: boolean;
  /** What the preflight may take, its checks included. */
  preflightTimeout: number;
  /** What the checks after the switch may take until each has passed once. */
  healthTimeout: number;
  /** How long they must go on passing after that. */
  settle: number;
  /** Whether two instances of the guest may use its /var at once: needed by `blue-green`. */
  sharedVar: boolean;
}

export const SWITCH_KEYS = [
  'Strategy',
  'Preflight',
  'PreflightTimeoutSec',
  'HealthTimeoutSec',
  'SettleSec',
  'SharedVar',
];

export const DEFAULT_SWITCHING: Switching = {
  strategy: 'restart',
  preflight: true,
  preflightTimeout: 120,
  healthTimeout: 90,
  settle: 0,
  sharedVar: false,
};

/** @throws Failure `invalid` */
export function parseSwitching(file: UnitFile): Switching {
  const value = (key: string): string | undefined => {
    const text = file.lookup('Switch', key);
    return text === '' ? undefined : text;
  };
  const seconds = (key: string, otherwise: number): number => {
    const text = value(key);
    return text === undefined ? otherwise : parseSeconds(text, key);
  };
  const boolean = (key: string, otherwise: boolean): boolean => {
    const text = value(key);
    return text === undefined ? otherwise : parseBoolean(text, key);
  };
  return {
    strategy: parseStrategy(value('Strategy') ?? DEFAULT_SWITCHING.strategy),
    preflight: boolean('Preflight', DEFAULT_SWITCHING.preflight),
    preflightTimeout: seconds('PreflightTimeoutSec', DEFAULT_SWITCHING.preflightTimeout),
    healthTimeout: seconds('HealthTimeoutSec', DEFAULT_SWITCHING.healthTimeout),
    settle: seconds('SettleSec', DEFAULT_SWITCHING.settle),
    sharedVar: boolean('SharedVar', DEFAULT_SWITCHING.sharedVar),
  };
}

function parseStrategy(value: string): Strategy {
  const found = STRATEGIES.find((each) => each === value);
  if (found !== undefined) return found;
  throw new Failure('invalid', `Strategy=: ${quoted(value)} is not a strategy`, {
    hint: `Use one of: ${STRATEGIES.join(', ')}.`,
  });
}

export function renderSwitching(file: UnitFile, switching: Switching): void {
  const standard = DEFAULT_SWITCHING;
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const lines: [key: string, differs: boolean, value: string][] = [
    ['Strategy', switching.strategy !== standard.strategy, switching.strategy],
    ['Preflight', switching.preflight !== standard.preflight, yes(switching.preflight)],
    [
      'PreflightTimeoutSec',
      switching.preflightTimeout !== standard.preflightTimeout,
      formatSeconds(switching.preflightTimeout),
    ],
    [
      'HealthTimeoutSec',
      switching.healthTimeout !== standard.healthTimeout,
      formatSeconds(switching.healthTimeout),
    ],
    ['SettleSec', switching.settle !== standard.settle, formatSeconds(switching.settle)],
    ['SharedVar', switching.sharedVar !== standard.sharedVar, yes(switching.sharedVar)],
  ];
  for (const [key, differs, value] of lines) if (differs) file.add('Switch', key, value);
}
