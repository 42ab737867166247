import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseGenerationNumber, parseGuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import { requireGeneration } from '../plan/operations.ts';
import type { Verb } from './verb.ts';

export const unpin: Verb = {
  name: 'unpin',
  args: '<name> <generation>',
  summary: 'let cleanup remove a generation again',
  kind: 'changing',
  writesState: true,
  examples: ['guestree unpin mail 3'],
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const generation = parseGenerationNumber(args.required(1));
    await app.locked(name, async () => {
      requireGeneration(await app.observe(name), generation);
      if (app.options.dryRun) app.streams.out(`1. Unpin generation ${generation} of ${name}.\n`);
      else await rm(join(guestPaths(app.effects.paths, name).pins, String(generation)), { force: true });
    });
    return undefined;
  },
};
