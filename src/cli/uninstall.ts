import { parseGuestName, parsePackageName } from '../model/names.ts';
import { planUninstall } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import type { Verb } from './verb.ts';

export const uninstall: Verb = {
  name: 'uninstall',
  args: '<name> <package...>',
  summary: 'take layered packages out of a guest',
  kind: 'changing',
  writesState: true,
  examples: ['guestree uninstall mail postfix', 'guestree uninstall mail postfix --no-switch'],
  declare: (command) =>
    void command.option('--no-switch', 'make the generation, but go on with the current one'),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const packages = [...new Set(args.many(1).map(parsePackageName))];
    return app.locked(name, async () => {
      const state = await app.observe(name);
      return applyAndTell(app, name, planUninstall(state, packages, !args.denied('switch')));
    });
  },
};
