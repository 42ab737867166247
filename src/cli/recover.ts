import { ensureHostUnits, ensureLinks } from '../apply/host.ts';
import { recoverGuest } from '../apply/apply.ts';
import { readDefinition } from '../apply/observe.ts';
import type { App } from '../app/app.ts';
import { planActivatePending } from '../plan/operations.ts';
import { acquireLock } from '../system/lock.ts';
import { exists } from '../system/files.ts';
import { guestPaths } from '../model/paths.ts';
import { applyAndTell } from './change.ts';
import type { Verb } from './verb.ts';

export const recover: Verb = {
  name: 'recover',
  summary: 'finish or undo what was interrupted, and mend the links of all guests',
  kind: 'changing',
  writesState: true,
  examples: ['guestree recover', 'guestree recover --dry-run'],
  declare: (command) => void command.option('--boot', 'as the boot-time unit does: start nothing'),
  async run(app, args) {
    const { effects } = app;
    if (app.options.dryRun) {
      for (const name of await app.interruptedGuests())
        app.streams.out(`Finish or undo the interrupted operation of ${name}.\n`);
      return undefined;
    }
    if (!(await exists(effects.paths.state))) return undefined;
    for (const name of await app.interruptedGuests()) {
      const release = await acquireLock(guestPaths(effects.paths, name).lock, `the guest "${name}"`);
      try {
        app.streams.out(`${name}: interrupted operation ${await recoverGuest({ guest: name }, effects)}\n`);
      } finally {
        await release();
      }
    }
    await recoverGuest({ guest: undefined }, effects);
    if (!args.flag('boot')) await ensureHostUnits(effects);
    if (args.flag('boot')) await takeUpStaged(app);
    let changed = false;
    for (const name of await app.guests()) if (await ensureLinks(effects, name)) changed = true;
    if (changed) await effects.systemd.reload();
    return undefined;
  },
};

/** With Strategy=none a generation that waits is taken up when the host boots, before the guest is started. */
async function takeUpStaged(app: App): Promise<void> {
  await app.each(await app.guests(), async (name) => {
    const definition = await readDefinition(app.effects.paths, name);
    if (definition.switching.strategy !== 'none') return;
    await app.locked(name, async () => {
      const state = await app.observe(name);
      const plan = state.active ? undefined : planActivatePending(state);
      if (plan) await applyAndTell(app, name, plan);
    });
  });
}
