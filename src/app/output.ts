import type { Progress } from '../apply/effects.ts';
import type { Crew } from './crew.ts';
import type { CommandLog } from '../system/run.ts';

export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Whether standard error is a terminal: only then a line may be overwritten. */
  errIsTerminal: boolean;
  outIsTerminal: boolean;
  color: boolean;
}

/** Colour only for a terminal, and never with NO_COLOR (no-color.org). */
export function standardStreams(environment: Readonly<Record<string, string | undefined>>): Streams {
  const noColor = (environment['NO_COLOR'] ?? '') !== '';
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    errIsTerminal: process.stderr.isTTY,
    outIsTerminal: process.stdout.isTTY,
    color: !noColor && process.stdout.isTTY,
  };
}

function bold(streams: Streams, text: string): string {
  return streams.color ? `\u001b[1m${text}\u001b[0m` : text;
}

/**
 * Progress on standard error: a line a step, and on a terminal a last line that shows what goes on within it. While
 * several guests are worked on there is no such last line, and each warning bears its guest's name.
 */
export function createProgress(
  streams: Streams,
  quiet: boolean,
  crew?: Pick<Crew, 'guest' | 'crowded'>,
): Progress & { warnings: string[] } {
  let transient = false;
  const clear = (): void => {
    if (transient) streams.err('\r\u001b[K');
    transient = false;
  };
  const warnings: string[] = [];
  return {
    warnings,
    step(index, count, guest, sentence) {
      if (quiet) return;
      clear();
      streams.err(`[${index}/${count}] ${guest === undefined ? '' : `${guest}: `}${sentence}\n`);
    },
    detail(line) {
      if (quiet || !streams.errIsTerminal || crew?.crowded === true) return;
      clear();
      const width = (process.stderr.columns || 80) - 5;
      // eslint-disable-next-line no-control-regex
      streams.err(`    ${line.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, width)}`);
      transient = true;
    },
    warning(text) {
      clear();
      warnings.push(text);
      const guest = crew?.guest;
      const named = guest === undefined || text.startsWith(`${guest}: `) ? text : `${guest}: ${text}`;
      streams.err(`warning: ${named}\n`);
    },
  };
}

/** `--verbose`: each external command as one line that can be pasted into a shell. */
export function createCommandLog(
  streams: Streams,
  verbose: boolean,
  crew?: Pick<Crew, 'guest' | 'crowded'>,
): CommandLog {
  return {
    started(line) {
      if (!verbose) return;
      const whose = crew?.crowded === true && crew.guest !== undefined ? ` # ${crew.guest}` : '';
      streams.err(`+ ${line}${whose}\n`);
    },
  };
}

/** Aligned columns, the heading in bold; nothing is cut. */
export function renderTable(
  streams: Streams,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ');
  return [bold(streams, line(heading)), ...rows.map(line)].map((text) => `${text.trimEnd()}\n`).join('');
}
