import type { GuestName } from '../model/names.ts';
import { planActivatePending } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import { declareSeveral, jobsOf, namesOf } from './several.ts';
import type { Verb } from './verb.ts';

export const restart: Verb = {
  name: 'restart',
  args: '[name...]',
  summary: 'stop and start guests; a generation that waits becomes current',
  kind: 'changing',
  writesState: true,
  examples: ['guestree restart mail'],
  declare: (command) => void declareSeveral(command, 4),
  async run(app, args) {
    const one = async (name: GuestName): Promise<void> => {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        const pending = planActivatePending(state);
        if (pending) await applyAndTell(app, name, pending);
        if (pending && state.active) return;
        const halt = state.active ? [{ action: 'halt', guest: name } as const] : [];
        await app.apply({
          operation: 'restart',
          guest: name,
          steps: [...halt, { action: 'start', guest: name }],
        });
      });
    };
    await app.each(await namesOf(app, args, 'restart'), one, jobsOf(args));
    return undefined;
  },
};
