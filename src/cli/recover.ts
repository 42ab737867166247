import { ensureHostUnits, ensureLinks } from '../apply/host.ts';
import { ensureTimer } from '../apply/timer.ts';
import { recoverGuest } from '../apply/apply.ts';
import { readDefinition } from '../apply/observe.ts';
import type { App } from '../app/app.ts';
import { planActivatePending } from '../plan/operations.ts';
import type { GuestName } from '../model/names.ts';
import { findDamage, mendEvents } from '../apply/damage.ts';
import { removeStaleScratch, whenFree } from '../apply/leftovers.ts';
import { acquireLock } from '../system/lock.ts';
import { raiseInotifyLimit } from '../system/limits.ts';
import { exists } from '../system/files.ts';
import { Failure } from '../model/failure.ts';
import { guestPaths } from '../model/paths.ts';
import { applyAndTell } from './change.ts';
import type { Verb } from './verb.ts';

export const recover: Verb = {
  name: 'recover',
  summary: 'finish or undo what was interrupted, and mend the links of all guests',
  kind: 'changing',
  writesState: true,
  examples: ['guestree recover', 'guestree recover --dry-run'],
  declare: (command) => void command.option('--boot', 'as the unit does that guests are ordered after'),
  async run(app, args) {
    const boot = args.flag('boot');
    const effects = boot ? { ...app.effects, systemd: app.effects.systemd.withoutWaiting() } : app.effects;
    if (app.options.dryRun) {
      for (const name of await app.interruptedGuests())
        app.streams.out(`Finish or undo the interrupted operation of ${name}.\n`);
      return undefined;
    }
    if (!(await exists(effects.paths.state))) return undefined;
    for (const name of await app.interruptedGuests()) {
      const { lock } = guestPaths(effects.paths, name);
      let release: () => Promise<void>;
      try {
        release = await acquireLock(lock, `the guest "${name}"`);
      } catch (error) {
        // The unit is also started with a guest, by the command that is at work on it.
        if (!boot || !(error instanceof Failure) || error.reason !== 'locked') throw error;
        app.streams.out(`${error.message}\n`);
        continue;
      }
      try {
        const recovery = await recoverGuest({ guest: name }, effects);
        if (recovery !== 'nothing') app.streams.out(`${name}: interrupted operation ${recovery}\n`);
      } finally {
        await release();
      }
    }
    await app.lockedPool(async () => recoverGuest({ guest: undefined }, effects));
    await removeStaleScratch(effects);
    if (!boot) await ensureHostUnits(effects);
    if (boot) await takeUpStaged(app);
    let changed = false;
    const guests = await app.guests();
    await raiseInotifyLimit(guests.length);
    for (const name of guests) {
      if (await ensureLinks(effects, name)) changed = true;
      if (await mendTimer(app, name)) changed = true;
      const mended = await whenFree(guestPaths(effects.paths, name).lock, () =>
        mendEvents(effects.paths, name),
      );
      if (mended !== undefined) effects.progress.warning(mended);
      for (const sentence of await findDamage(effects.paths, name)) effects.progress.warning(sentence);
    }
    if (changed) await effects.systemd.reload();
    return undefined;
  },
};

/** With Strategy=none a generation that waits is taken up when the host boots, before the guest is started. */
async function takeUpStaged(app: App): Promise<void> {
  await app.each(await app.guests(), async (name) => {
    const definition = await readDefinition(app.effects.paths, name);
    if (definition.switching.strategy !== 'none') return;
    try {
      await app.locked(name, async () => {
        const state = await app.observe(name);
        const plan = state.active ? undefined : planActivatePending(state);
        if (plan) await applyAndTell(app, name, plan);
      });
    } catch (error) {
      // The unit is also started with a guest, by the command that is at work on it.
      if (!(error instanceof Failure) || error.reason !== 'locked') throw error;
    }
  });
}

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
