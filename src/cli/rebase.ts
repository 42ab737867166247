import { rebaseDefinition } from '../model/definition.ts';
import { Failure } from '../model/failure.ts';
import { parseGuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import { planRebase } from '../plan/operations.ts';
import { readOptional } from '../system/files.ts';
import { requirePrograms } from '../app/privilege.ts';
import { applyAndTell } from './change.ts';
import { declareSource, readSource } from './guestoptions.ts';
import { declareSwitch, readSwitch } from './switchoptions.ts';
import type { Verb } from './verb.ts';

export const rebase: Verb = {
  name: 'rebase',
  args: '<name>',
  summary: 'put a guest on another base, and layer its packages there',
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree rebase mail --from debian:forky',
    'guestree rebase mail --from debian:forky --no-switch',
  ],
  declare: (command) => void declareSwitch(declareSource(command)),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const source = readSource(args);
    if (source.kind === 'debian') requirePrograms(['mmdebstrap']);
    return app.locked(name, async () => {
      const state = await app.observe(name);
      const places = guestPaths(app.effects.paths, name);
      const before = await readOptional(places.definition);
      if (before === undefined) {
        throw new Failure('not-found', `there is no definition ${places.definition} to change`, {
          guest: name,
          hint: `It is in the record of generation ${state.current}: guestree history ${name} --json`,
        });
      }
      const text = rebaseDefinition(name, before, source);
      return applyAndTell(
        app,
        name,
        text === before ? 'unchanged' : planRebase(state, { before, text }, readSwitch(args)),
      );
    });
  },
};
