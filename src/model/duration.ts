import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/** Seconds in each unit of a time span that is taken (systemd.time(7), PARSING TIME SPANS); a bare number is seconds. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  sec: 1,
  m: 60,
  min: 60,
  h: 3600,
  hr: 3600,
  d: 86_400,
};

/** The longest span that is taken, in seconds: what is longer is a mistake. */
const LONGEST = 7 * 86_400;

/**
 * Seconds of a time span such as `90`, `500ms` or `1min 30s`.
 * @throws Failure `invalid` with the key's name
 */
export function parseSeconds(value: string, key: string): number {
  const parts = [...value.matchAll(/ *([0-9]+(?:\.[0-9]+)?) *([a-z]*)/gy)];
  const whole = parts.map(([text]) => text).join('') === value && parts.length > 0;
  const seconds = parts.map(
    ([, number, unit]) => Number(number) * (unit === '' ? 1 : (UNITS[unit ?? ''] ?? NaN)),
  );
  const sum = seconds.reduce((a, b) => a + b, 0);
  if (whole && Number.isFinite(sum) && sum <= LONGEST) return Number(sum.toFixed(3));
  throw new Failure('invalid', `${key}=: ${quoted(value)} is not a time span of at most a week`, {
    hint: 'Write a number of seconds, or for example: 500ms, 90s, 1min 30s, 2h.',
  });
}

export function formatSeconds(seconds: number): string {
  return Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`;
}

/** Booleans as systemd takes them (systemd.syntax(7)). @throws Failure `invalid` */
export function parseBoolean(value: string, key: string): boolean {
  if (/^(?:1|yes|y|true|t|on)$/i.test(value)) return true;
  if (/^(?:0|no|n|false|f|off)$/i.test(value)) return false;
  throw new Failure('invalid', `${key}=: ${quoted(value)} is not yes or no`);
}
