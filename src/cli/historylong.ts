import type { Examined, SwitchEvent } from '../plan/state.ts';
import { renderChanges } from './diff.ts';
import type { GenerationLine } from './history.ts';

/** All that is known of a generation, as text. */
export function renderLong(line: GenerationLine): string {
  const flags = line.flags.length === 0 ? '' : ` (${line.flags.join(', ')})`;
  const happened = [
    ...line.switches.map((event) => ({ time: event.time, text: renderEvent(event) })),
    ...line.ended.map(({ time, by, to }) => ({ time, text: `ended by ${by}, which made ${to} current` })),
  ].sort((a, b) => (a.time < b.time ? -1 : 1));
  return [
    `generation ${line.generation}${flags}\n`,
    `  Made:     ${minute(line.createdAt)} by ${line.createdBy}\n`,
    `  Tree:     ${line.tree.slice(0, 12)} on base ${line.base.slice(0, 12)}\n`,
    `  Packages: ${line.requested.join(' ') || '-'}\n`,
    ...renderPackages(line.changes),
    ...happened.map(({ time, text }) => `  ${minute(time)}  ${text}\n`),
  ].join('');
}

function renderEvent(event: SwitchEvent): string {
  const parts = [
    event.failed === undefined
      ? `current by ${event.reason}`
      : `${event.failed} failed in ${event.reason}: ${event.why ?? ''}`,
    ...examined('preflight', event.preflight),
    ...(event.unproven === undefined ? [] : [`no preflight: ${event.unproven}`]),
    ...examined('health', event.health),
    ...(event.downtimeMs === undefined ? [] : [`unavailable for ${(event.downtimeMs / 1000).toFixed(2)} s`]),
  ];
  return parts.join('; ');
}

function examined(what: string, result: Examined | undefined): string[] {
  if (result === undefined) return [];
  const bad = result.checks.filter((check) => !check.passed).map(({ name }) => name);
  const checks = `${result.checks.length} check${result.checks.length === 1 ? '' : 's'}`;
  const failing = bad.length === 0 ? '' : `, failing: ${bad.join(', ')}`;
  const verdict = result.passed ? 'passed' : 'failed';
  return [`${what} ${verdict} (${checks}${failing}, ${(result.milliseconds / 1000).toFixed(1)} s)`];
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}

/** More of them are a job for `guestree diff`. */
const MOST = 12;

function renderPackages(changes: GenerationLine['changes']): string[] {
  if (changes === undefined || changes.length === 0) return [];
  const more = changes.length - MOST;
  const rest = more > 0 ? `    … and ${more} more, see: guestree diff\n` : '';
  const lines = renderChanges(changes.slice(0, MOST)).replace(/^/gm, '  ').trimEnd();
  return [`${lines}\n${rest}`];
}
