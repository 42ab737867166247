import { Failure } from './failure.ts';
import { quoted } from './names.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, '': 1, s: 1, sec: 1, min: 60, m: 60, h: 3600 };

/**
 * A time span as systemd.time(7) writes it, with one unit: `500ms`, `0.5`, `5s`, `2min`, `1h`; a bare number is seconds.
 * @returns seconds in whole milliseconds, from 0 to a day
 */
export function parseTimeSpan(value: string): number {
  const [, digits = '', unit = ''] = /^([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(ms|s|sec|min|m|h)?$/.exec(value) ?? [];
  const factor = UNITS[unit];
  const milliseconds = digits === '' || factor === undefined ? Number.NaN : Number(digits) * factor * 1000;
  const seconds = Math.round(milliseconds) / 1000;
  if (seconds >= 0 && seconds <= 86_400) return seconds;
  throw new Failure('invalid', `${quoted(value)} is not a time span`, {
    hint: 'Write a number with one unit, up to a day, for example 500ms, 5s or 2min; without a unit it is seconds.',
  });
}

/** Seconds in the form that parseTimeSpan() reads. */
export function formatTimeSpan(seconds: number): string {
  return `${Math.round(seconds * 1000)}ms`;
}
