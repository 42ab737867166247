import { planRemove } from '../plan/operations.ts';
import { confirm } from './confirm.ts';
import type { Verb } from './verb.ts';

export const remove: Verb = {
  name: 'remove',
  args: '<name...>',
  summary: 'delete guests with all of their generations and data',
  kind: 'changing',
  writesState: true,
  examples: ['guestree remove mail', 'guestree remove mail --yes --keep-data'],
  declare: (command) =>
    void command
      .option('-y, --yes', 'do not ask')
      .option('--keep-data', 'keep /etc and /var in the state directory, below kept/'),
  async run(app, args) {
    await app.each(args.many(0), async (name) => {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        const time = app.effects
          .now()
          .toISOString()
          .replaceAll(/[-:]|\.[0-9]+/g, '');
        const kept = args.flag('keepData') ? `${app.effects.paths.state}/kept/${name}-${time}` : undefined;
        if (!app.options.dryRun && !args.flag('yes')) {
          const what =
            kept === undefined ? 'all of its generations, /etc and /var' : 'all of its generations';
          await confirm(`Delete the guest "${name}" with ${what}?`, `guestree remove ${name} --yes`, name);
        }
        const outcome = await app.apply(planRemove(state, kept));
        if (outcome === 'dry-run') return;
        app.streams.out(`${name}: removed${kept === undefined ? '' : `; its data is in ${kept}`}\n`);
      });
    });
    return undefined;
  },
};
