import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/** Monday is 0, Sunday is 6. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/**
 * A time of the week in which a guest may be switched: `Sun,Wed 02:00-05:00`, `Mon..Fri 22:00-02:00`, `02:00-05:00`.
 *
 * All times are what a clock on the host's wall shows. Where summer time begins, an hour of that clock is left out, and
 * a window that lies in it does not open on that day; where it ends, an hour comes twice, and the window is open twice.
 */
export interface Window {
  /** The days on which it begins, ascending, at least one. */
  days: readonly Weekday[];
  /** Minutes after midnight, 0 to 1439. */
  start: number;
  /** Minutes after midnight, 1 to 1440; not after `start` if the window ends on the next day. It is closed at `end`. */
  end: number;
}

/** What the clock on the wall shows. */
export interface WallTime {
  weekday: Weekday;
  /** Minutes after midnight, 0 to 1439. */
  minute: number;
}

const MINUTES_A_DAY = 1440;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const LONG_DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const EVERY_DAY: readonly Weekday[] = [0, 1, 2, 3, 4, 5, 6];

/**
 * `[DAYS ]HH:MM-HH:MM`. Days are written as systemd.time(7) writes them (CALENDAR EVENTS): names, lists with commas,
 * ranges with two dots; a range may run over the end of the week. `24:00` is the midnight at the end of the day.
 * @throws Failure `invalid`
 */
export function parseWindow(value: string): Window {
  const match = /^(?:(\S+)\s+)?([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})$/.exec(value.trim());
  if (match === null) throw notAWindow(value);
  const [, days, fromHour, fromMinute, toHour, toMinute] = match;
  const start = minuteOf(value, fromHour, fromMinute);
  const end = minuteOf(value, toHour, toMinute);
  if (start === MINUTES_A_DAY) throw notAWindow(value);
  if (start === end) {
    throw new Failure('invalid', `the window ${quoted(value)} ends when it begins`, {
      hint: 'For the whole day write 00:00-24:00.',
    });
  }
  return {
    days: days === undefined ? EVERY_DAY : parseDays(value, days),
    start,
    end: end === 0 ? MINUTES_A_DAY : end,
  };
}

export function formatWindow({ days, start, end }: Window): string {
  const when = `${formatMinute(start)}-${formatMinute(end)}`;
  return days.length === EVERY_DAY.length ? when : `${formatDays(days)} ${when}`;
}

/** Whether a guest may be switched now. Without any window it always may. */
export function isOpen(windows: readonly Window[], { weekday, minute }: WallTime): boolean {
  if (windows.length === 0) return true;
  const yesterday = ((weekday + 6) % 7) as Weekday;
  return windows.some(({ days, start, end }) =>
    start < end
      ? days.includes(weekday) && start <= minute && minute < end
      : (days.includes(weekday) && start <= minute) || (days.includes(yesterday) && minute < end),
  );
}

/** When a window opens next: on the day that is `days` after today, at `minute`. Undefined if one is open now. */
export function nextOpening(
  windows: readonly Window[],
  now: WallTime,
): { days: number; minute: number } | undefined {
  if (isOpen(windows, now)) return undefined;
  const openings = windows.flatMap(({ days, start }) =>
    days.map((day) => {
      const away = (day - now.weekday + 7) % 7;
      return { days: away === 0 && start <= now.minute ? 7 : away, minute: start };
    }),
  );
  openings.sort((a, b) => a.days - b.days || a.minute - b.minute);
  return openings[0];
}

function minuteOf(value: string, hour: string | undefined, minute: string | undefined): number {
  const total = Number(hour) * 60 + Number(minute);
  if (Number(minute) > 59 || total > MINUTES_A_DAY) throw notAWindow(value);
  return total;
}

function parseDays(value: string, text: string): Weekday[] {
  const found = new Set<Weekday>();
  for (const part of text.split(',')) {
    const [first = '', last = first, ...more] = part.split('..');
    if (more.length > 0) throw notAWindow(value);
    const from = parseDay(value, first);
    const to = parseDay(value, last);
    for (let day = from; ; day = ((day + 1) % 7) as Weekday) {
      found.add(day);
      if (day === to) break;
    }
  }
  return [...found].sort((a, b) => a - b);
}

function parseDay(value: string, name: string): Weekday {
  const lower = name.toLowerCase();
  const index = LONG_DAYS.findIndex((long) => lower === long || lower === long.slice(0, 3));
  if (index < 0) throw notAWindow(value);
  return index as Weekday;
}

/** Days in a row as a range, from three on. */
function formatDays(days: readonly Weekday[]): string {
  const parts: string[] = [];
  for (let index = 0; index < days.length; index++) {
    const first = index;
    while (days[index + 1] === (days[index] ?? 0) + 1) index++;
    const names = days.slice(first, index + 1).map((day) => DAYS[day]);
    parts.push(...(names.length < 3 ? names : [`${names[0] ?? ''}..${names.at(-1) ?? ''}`]));
  }
  return parts.join(',');
}

function formatMinute(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

function notAWindow(value: string): Failure {
  return new Failure('invalid', `${quoted(value)} is not a maintenance window`, {
    hint: 'Write [DAYS ]HH:MM-HH:MM, for example: Sun,Wed 02:00-05:00, Mon..Fri 22:00-02:00 or 02:00-05:00.',
  });
}
