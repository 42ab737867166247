import type { GuestName } from '../model/names.ts';
import { planActivatePending } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import { declareSeveral, jobsOf, namesOf } from './several.ts';
import type { Verb } from './verb.ts';

export const start: Verb = {
  name: 'start',
  args: '[name...]',
  summary: 'boot guests and wait until they are ready',
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree start mail web',
    'guestree start --all --jobs 8',
    'machinectl start mail    # the same',
  ],
  declare: (command) => void declareSeveral(command, 4),
  async run(app, args) {
    const one = async (name: GuestName): Promise<void> => {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        if (state.active) {
          app.streams.out(`${name}: is running already\n`);
          return;
        }
        const pending = planActivatePending(state);
        if (pending) await applyAndTell(app, name, pending);
        await app.apply({ operation: 'start', guest: name, steps: [{ action: 'boot', guest: name }] });
      });
    };
    await app.each(await namesOf(app, args, 'start'), one, jobsOf(args));
    return undefined;
  },
};
