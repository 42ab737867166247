import { parseGuestName, parsePackageName } from '../model/names.ts';
import { planUninstall } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import { declareSwitch, readSwitch } from './switchoptions.ts';
import type { Verb } from './verb.ts';

export const uninstall: Verb = {
  name: 'uninstall',
  args: '<name> <package...>',
  summary: 'take layered packages out of a guest',
  kind: 'changing',
  writesState: true,
  examples: ['guestree uninstall mail postfix', 'guestree uninstall mail postfix --no-switch'],
  declare: (command) => void declareSwitch(command),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const packages = [...new Set(args.many(1).map(parsePackageName))];
    return app.locked(name, async () => {
      const state = await app.observe(name);
      return applyAndTell(app, name, planUninstall(state, packages, readSwitch(args)));
    });
  },
};
