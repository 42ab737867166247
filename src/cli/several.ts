import type { Command } from 'commander';
import type { App } from '../app/app.ts';
import { Failure } from '../model/failure.ts';
import type { Arguments } from './verb.ts';

/** Options of verbs that work on several guests, and on some of them at the same time. */
export function declareSeveral(command: Command, jobs: number): Command {
  return command
    .option('--all', 'all guests')
    .option('--jobs <n>', 'work on so many guests at the same time', String(jobs));
}

/** The guests that were named, or all. */
export async function namesOf(app: App, args: Arguments, verb: string): Promise<readonly string[]> {
  const given = args.many(0);
  if (args.flag('all') !== given.length > 0) return args.flag('all') ? app.guests() : given;
  throw new Failure('usage', `name the guests to ${verb}, or use --all`, {
    hint: `For example: guestree ${verb} mail`,
  });
}

export function jobsOf(args: Arguments): number {
  const text = args.text('jobs') ?? '1';
  if (/^[1-9][0-9]{0,2}$/.test(text)) return Number(text);
  throw new Failure('usage', `--jobs takes a number from 1 to 999, not "${text}"`);
}
