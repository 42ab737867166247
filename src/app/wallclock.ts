import { nextOpening, type WallTime, type Weekday, type Window } from '../model/window.ts';

/** What a clock on the host's wall shows at a time. */
export function wallTime(time: Date): WallTime {
  return { weekday: ((time.getDay() + 6) % 7) as Weekday, minute: time.getHours() * 60 + time.getMinutes() };
}

/** When one of the windows opens next; undefined if one is open, or if there is none. */
export function openingAfter(windows: readonly Window[], now: Date): Date | undefined {
  const next = nextOpening(windows, wallTime(now));
  if (next === undefined) return undefined;
  // A time that summer time leaves out becomes the one after it.
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + next.days, 0, next.minute);
}

/** `Sun 2026-11-29 02:00`, as systemd writes times. */
export function tellTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][time.getDay()] ?? '';
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${date} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
