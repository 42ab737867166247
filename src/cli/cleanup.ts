import { Failure } from '../model/failure.ts';
import { parseGuestName } from '../model/names.ts';
import { planCleanup } from '../plan/operations.ts';
import type { Verb } from './verb.ts';

export const cleanup: Verb = {
  name: 'cleanup',
  args: '[name]',
  summary: 'remove old generations; current, previous, pending, running and pinned ones stay',
  kind: 'changing',
  writesState: true,
  examples: ['guestree cleanup', 'guestree cleanup mail --keep 5'],
  declare: (command) => void command.option('--keep <n>', 'keep the newest N generations as well', '0'),
  async run(app, args) {
    const keep = args.text('keep') ?? '0';
    if (!/^[0-9]{1,6}$/.test(keep)) throw new Failure('usage', `--keep takes a number, not "${keep}"`);
    const given = args.one(0);
    const names = given === undefined ? await app.guests() : [parseGuestName(given)];
    await app.each(names, async (name) => {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        const [own] = planCleanup([state], Number(keep));
        if (own === undefined) return;
        const outcome = await app.apply(own);
        const gone = own.steps.filter((step) => step.action === 'retire').length;
        if (outcome !== 'dry-run')
          app.streams.out(`${name}: ${gone} ${gone === 1 ? 'generation' : 'generations'} removed\n`);
      });
    });
    const [pool] = planCleanup([], 0);
    if (pool) await app.lockedPool(async () => app.apply(pool));
    return undefined;
  },
};
