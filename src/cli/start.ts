import { planActivatePending } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import type { Verb } from './verb.ts';

export const start: Verb = {
  name: 'start',
  args: '<name...>',
  summary: 'boot guests and wait until they are ready',
  kind: 'changing',
  writesState: true,
  examples: ['guestree start mail web', 'machinectl start mail    # the same'],
  async run(app, args) {
    await app.each(args.many(0), async (name) => {
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
    });
    return undefined;
  },
};
