import type { Command } from 'commander';
import type { ChangeWish } from '../plan/operations.ts';
import type { Arguments } from './verb.ts';

/** Options of verbs that make a generation and switch to it. */
export function declareSwitch(command: Command): Command {
  return command
    .option('--no-switch', 'make the generation, but go on with the current one')
    .option('--no-preflight', 'switch without booting the new generation beside the running one first');
}

export function readSwitch(args: Arguments): ChangeWish {
  return {
    doSwitch: !args.denied('switch'),
    preflight: !args.denied('preflight'),
    retry: args.flag('retry'),
  };
}
