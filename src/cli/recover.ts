import { ensureHostUnits, ensureLinks } from '../apply/host.ts';
import { ensureTimer } from '../apply/timer.ts';
import { recoverGuest } from '../apply/apply.ts';
import type { App } from '../app/app.ts';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { acquireLock } from '../system/lock.ts';
import { raiseInotifyLimit } from '../system/limits.ts';
import { exists } from '../system/files.ts';
import { guestPaths } from '../model/paths.ts';
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
    await app.lockedPool(async () => recoverGuest({ guest: undefined }, effects));
    if (!args.flag('boot')) await ensureHostUnits(effects);
    let changed = false;
    const guests = await app.guests();
    await raiseInotifyLimit(guests.length);
    for (const name of guests) {
      if (await ensureLinks(effects, name)) changed = true;
      if (await mendTimer(app, name)) changed = true;
    }
    if (changed) await effects.systemd.reload();
    return undefined;
  },
};

/** A definition that somebody spoiled is said, and keeps nobody's guests from being mended. */
async function mendTimer(app: App, name: GuestName): Promise<boolean> {
  try {
    return await ensureTimer(app.effects, name);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    app.effects.progress.warning(`${name}: ${error.message}`);
    return false;
  }
}
