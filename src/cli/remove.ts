import { createInterface } from 'node:readline/promises';
import { Failure } from '../model/failure.ts';
import type { App } from '../app/app.ts';
import type { GuestName } from '../model/names.ts';
import { planRemove } from '../plan/operations.ts';
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
        if (!app.options.dryRun && !args.flag('yes')) await confirm(app, name, kept);
        const outcome = await app.apply(planRemove(state, kept));
        if (outcome === 'dry-run') return;
        app.streams.out(`${name}: removed${kept === undefined ? '' : `; its data is in ${kept}`}\n`);
      });
    });
    return undefined;
  },
};

async function confirm(app: App, name: GuestName, kept: string | undefined): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new Failure('usage', 'remove asks before it deletes, and there is no terminal to ask on', {
      guest: name,
      hint: `Say yes beforehand with: guestree remove ${name} --yes`,
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const what = kept === undefined ? 'all of its generations, /etc and /var' : 'all of its generations';
    const answer = await terminal.question(`Delete the guest "${name}" with ${what}? [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  app.streams.out(`${name}: kept\n`);
  throw new Failure('conflict', 'not removed', { guest: name });
}
