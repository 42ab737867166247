import type { GuestName } from '../model/names.ts';
import { declareSeveral, jobsOf, namesOf } from './several.ts';
import type { Verb } from './verb.ts';

export const stop: Verb = {
  name: 'stop',
  args: '[name...]',
  summary: 'shut guests down in order',
  kind: 'changing',
  writesState: true,
  examples: ['guestree stop mail web', 'guestree stop --all'],
  declare: (command) => void declareSeveral(command, 4),
  async run(app, args) {
    const one = async (name: GuestName): Promise<void> => {
      await app.locked(name, async () => {
        await app.observe(name);
        await app.apply({ operation: 'stop', guest: name, steps: [{ action: 'halt', guest: name }] });
      });
    };
    await app.each(await namesOf(app, args, 'stop'), one, jobsOf(args));
    return undefined;
  },
};
