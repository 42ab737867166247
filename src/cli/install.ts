import { parseGuestName, parsePackageName } from '../model/names.ts';
import { planInstall } from '../plan/operations.ts';
import { applyAndTell } from './change.ts';
import { declareSwitch, readSwitch } from './switchoptions.ts';
import type { Verb } from './verb.ts';

export const install: Verb = {
  name: 'install',
  args: '<name> <package...>',
  summary: 'layer packages onto a guest',
  kind: 'changing',
  writesState: true,
  examples: ['guestree install mail postfix', 'guestree install mail postfix --no-switch'],
  declare: (command) => void declareSwitch(command),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const packages = [...new Set(args.many(1).map(parsePackageName))];
    return app.locked(name, async () => {
      const state = await app.observe(name);
      return applyAndTell(app, name, planInstall(state, packages, readSwitch(args)));
    });
  },
};
