import { join } from 'node:path';
import { parseGenerationNumber, parseGuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import { requireGeneration } from '../plan/operations.ts';
import { writeFileAtomic } from '../system/files.ts';
import type { Verb } from './verb.ts';

export const pin: Verb = {
  name: 'pin',
  args: '<name> <generation>',
  summary: 'keep a generation from cleanup',
  kind: 'changing',
  writesState: true,
  examples: ['guestree pin mail 3'],
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const generation = parseGenerationNumber(args.required(1));
    await app.locked(name, async () => {
      requireGeneration(await app.observe(name), generation);
      if (app.options.dryRun) app.streams.out(`1. Pin generation ${generation} of ${name}.\n`);
      else await writeFileAtomic(join(guestPaths(app.effects.paths, name).pins, String(generation)), '');
    });
    return undefined;
  },
};
