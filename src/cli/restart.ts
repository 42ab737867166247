import type { GuestName } from '../model/names.ts';
import { planActivatePending } from '../plan/operations.ts';
import { planRestart } from '../plan/ports.ts';
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
  declare: (command) =>
    void declareSeveral(command, 4).option(
      '--no-preflight',
      'take up a generation that waits without booting it beside the running one first',
    ),
  async run(app, args) {
    const one = async (name: GuestName): Promise<void> => {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        const pending = planActivatePending(state, { preflight: !args.denied('preflight') });
        if (pending) await applyAndTell(app, name, pending);
        if (pending && state.active) return;
        await app.apply(planRestart(state));
      });
    };
    await app.each(await namesOf(app, args, 'restart'), one, jobsOf(args));
    return undefined;
  },
};
