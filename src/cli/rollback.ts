import { parseGenerationNumber, parseGuestName } from '../model/names.ts';
import { planRollback } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import type { Verb } from './verb.ts';

export const rollback: Verb = {
  name: 'rollback',
  args: '<name> [generation]',
  summary: 'go back to the previous generation, or to a given one; /var stays as it is',
  kind: 'changing',
  writesState: true,
  examples: ['guestree rollback mail', 'guestree rollback mail 3'],
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const given = args.one(1);
    const wanted = given === undefined ? undefined : parseGenerationNumber(given);
    return app.locked(name, async () =>
      applyAndTell(app, name, planRollback(await app.observe(name), wanted)),
    );
  },
};
