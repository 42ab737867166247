import { Failure } from './failure.ts';
import { quoted } from './names.ts';
import type { Window } from './window.ts';

/** When a guest is upgraded without anybody asking: [Upgrade] of its definition. */
export interface Schedule {
  /** In these the guest may be switched; without any it may be at all times. Built is whenever the timer fires. */
  windows: readonly Window[];
  /** When the timer fires (systemd.timer(5), OnCalendar=). */
  onCalendar: readonly string[];
  /** How long it waits at most after that, as a time span of systemd.time(7). */
  randomizedDelaySec: string;
}

export const DEFAULT_SCHEDULE: Schedule = {
  windows: [],
  onCalendar: ['hourly'],
  randomizedDelaySec: '15min',
};

/** Whether the timer differs from the template, so that it needs a drop-in. */
export function hasOwnTimer({ onCalendar, randomizedDelaySec }: Schedule): boolean {
  return (
    randomizedDelaySec !== DEFAULT_SCHEDULE.randomizedDelaySec ||
    onCalendar.join('\n') !== DEFAULT_SCHEDULE.onCalendar.join('\n')
  );
}

/**
 * Accepts what a calendar event of systemd.time(7) is written with. Whether it is one is asked of systemd-analyze(1)
 * when the timer is written.
 * @throws Failure `invalid`
 */
export function parseCalendar(value: string): string {
  if (/^[A-Za-z0-9*.,:/~ +_-]{1,200}$/.test(value)) return value;
  throw new Failure('invalid', `${quoted(value)} is not a calendar event`, {
    hint: 'For example: hourly, or Sat 03:00. Check it with: systemd-analyze calendar EVENT',
  });
}

/** A time span of systemd.time(7). @throws Failure `invalid` */
export function parseTimeSpan(value: string): string {
  if (
    /^[0-9]+(?:\.[0-9]+)? ?[a-zA-Z]*(?: ?[0-9]+(?:\.[0-9]+)? ?[a-zA-Z]+)*$/.test(value) &&
    value.length <= 100
  )
    return value;
  throw new Failure('invalid', `${quoted(value)} is not a time span`, {
    hint: 'For example: 15min, or 1h 30min. Check it with: systemd-analyze timespan SPAN',
  });
}
