import { stat, utimes, writeFile } from 'node:fs/promises';
import type { Failure } from '../model/failure.ts';
import { exists } from '../system/files.ts';
import type { RunResult } from '../system/run.ts';

/** Turns what a package manager printed into a failure. */
export type Explain = (output: string, exitCode: number) => Failure;

/** Package lists that are younger than this are used as they are. */
const FRESH_MINUTES = 60;

/**
 * Fetches package lists if there are none, if they are old, or if `force` says so.
 * @returns a warning if old lists have to do because the network is away
 */
export async function renewLists(options: {
  /** A file whose time says when the lists were fetched. */
  stamp: string;
  now: Date;
  force: boolean;
  fetch: () => Promise<RunResult>;
  explain: Explain;
}): Promise<string[]> {
  const { stamp, now, force, explain } = options;
  const age = (await exists(stamp)) ? (now.getTime() - (await stat(stamp)).mtimeMs) / 60_000 : undefined;
  if (!force && age !== undefined && age >= 0 && age < FRESH_MINUTES) return [];
  const result = await options.fetch();
  if (result.exitCode === 0) {
    await writeFile(stamp, '');
    await utimes(stamp, now, now);
    return [];
  }
  const failure = explain(textOf(result), result.exitCode);
  if (failure.reason !== 'network' || force || age === undefined) throw failure;
  return [
    `The package lists are ${Math.round(age / 60)} hours old and could not be renewed: ${failure.message}.`,
  ];
}

/** Runs one operation from the cache; what the cache lacks is downloaded first. Returns what it printed. */
export async function performFromCache(options: {
  install: () => Promise<RunResult>;
  download: () => Promise<RunResult>;
  /** Whether the output of `install` says that something is missing from the cache. */
  lacking: (output: string) => boolean;
  explain: Explain;
}): Promise<string> {
  const { install, download, lacking, explain } = options;
  const first = await install();
  if (first.exitCode === 0) return textOf(first);
  if (!lacking(textOf(first))) throw explain(textOf(first), first.exitCode);
  const fetched = await download();
  if (fetched.exitCode !== 0) throw explain(textOf(fetched), fetched.exitCode);
  const second = await install();
  if (second.exitCode !== 0) throw explain(textOf(second), second.exitCode);
  return textOf(second);
}

export function textOf(result: RunResult): string {
  return `${result.stdout}${result.stderr}`;
}
