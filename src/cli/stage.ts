import { pendingChanges } from '../app/upgrades.ts';
import { EXIT_UNCHANGED } from '../model/failure.ts';
import { planUpgrade } from '../plan/operations.ts';
import { pendingGeneration } from '../plan/state.ts';
import { applyAndTell } from './change.ts';
import { declareSeveral, jobsOf, namesOf } from './several.ts';
import type { Verb } from './verb.ts';

export const stage: Verb = {
  name: 'stage',
  args: '[name...]',
  summary: 'download and build upgrades ahead, as upgrade --no-switch does; exit code 77 if nothing is new',
  kind: 'changing',
  writesState: true,
  examples: ['guestree stage mail', 'guestree stage --all --jobs 2'],
  declare: (command) => void declareSeveral(command, 2),
  async run(app, args) {
    const changed = new Set<string>();
    await app.each(
      await namesOf(app, args, 'stage'),
      async (name) => {
        const code = await app.locked(name, async () => {
          const state = await app.observe(name);
          const changes = await pendingChanges(app.effects, state);
          if (changes.length > 0) return applyAndTell(app, name, planUpgrade(state, { doSwitch: false }));
          const pending = pendingGeneration(state);
          app.streams.out(
            pending === undefined
              ? `${name}: nothing changed\n`
              : `${name}: generation ${pending} is ready already; switch to it with: guestree restart ${name}\n`,
          );
          return EXIT_UNCHANGED;
        });
        if (code === 0) changed.add(name);
      },
      jobsOf(args),
    );
    return changed.size > 0 ? 0 : EXIT_UNCHANGED;
  },
};
