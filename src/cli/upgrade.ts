import type { App } from '../app/app.ts';
import { findHold, tellHold } from '../app/hold.ts';
import { upgradeUnattended } from '../app/unattended.ts';
import { pendingChanges } from '../app/upgrades.ts';
import { EXIT_UNCHANGED } from '../model/failure.ts';
import { chooseUpgrade } from '../plan/operations.ts';
import type { PackageChange } from '../apply/layering.ts';
import type { GuestName } from '../model/names.ts';
import type { Quarantine } from '../model/quarantine.ts';
import { applyAndTell } from './change.ts';
import { renderChanges } from './diff.ts';
import { declareSeveral, jobsOf, namesOf } from './several.ts';
import { declareSwitch, readSwitch } from './switchoptions.ts';
import type { Verb } from './verb.ts';

export const upgrade: Verb = {
  name: 'upgrade',
  args: '[name...]',
  summary: 'refresh the base and the layers of guests; exit code 77 if nothing changed',
  kind: 'changing',
  writesState: true,
  examples: ['guestree upgrade mail', 'guestree upgrade --all --no-switch', 'guestree upgrade mail --check'],
  declare: (command) =>
    // One at a time is unavailable for the shortest time (docs/unattended.md has the measurement).
    void declareSwitch(declareSeveral(command, 1))
      .option('--check', 'only look: exit code 0 if there is something to upgrade, 77 if not')
      .option('--json', 'with --check: print JSON')
      .option('--retry', 'take a tree again that failed its preflight or its health checks')
      .option('--unattended', 'as the timer does: switch only in a window, do nothing while a hold is set'),
  async run(app, args) {
    const names = await namesOf(app, args, 'upgrade');
    const found: Record<string, unknown>[] = [];
    const changed = new Set<string>();
    const one = async (name: GuestName): Promise<void> => {
      if (args.flag('unattended')) {
        if ((await upgradeUnattended(app, name)) === 0) changed.add(name);
        return;
      }
      const code = await app.locked(name, async () => {
        const state = await app.observe(name);
        if (!args.flag('check')) await warnOfHold(app, name);
        const changes = await pendingChanges(app.effects, state);
        if (args.flag('check')) {
          found.push({ name, changes: changes === 'unknown' ? null : changes });
          if (!app.options.json) app.streams.out(tellChanges(name, changes));
          return changes.length === 0 ? EXIT_UNCHANGED : 0;
        }
        const { plan, failed } = chooseUpgrade(state, changes.length > 0, readSwitch(args));
        if (failed) app.effects.progress.warning(tellFailed(name, failed));
        return applyAndTell(app, name, plan);
      });
      if (code === 0) changed.add(name);
    };
    await app.each(names, one, jobsOf(args));
    if (args.flag('check') && app.options.json) app.print({ guests: found }, () => '');
    return changed.size > 0 ? 0 : EXIT_UNCHANGED;
  },
};

function tellFailed(name: GuestName, { generation, why }: Quarantine): string {
  return `${name}: nothing is newer than generation ${generation}, which failed: ${why}. To try it all the same: guestree upgrade ${name} --retry`;
}

/** A hold is for the timer; who upgrades by hand is told of it and gets what he wants. */
async function warnOfHold(app: App, name: GuestName): Promise<void> {
  const hold = await findHold(app.effects.paths, name);
  if (hold === undefined) return;
  app.effects.progress.warning(`${name}: unattended upgrades are held back: ${tellHold(hold)}`);
}

function tellChanges(name: GuestName, changes: readonly PackageChange[] | 'unknown'): string {
  if (changes === 'unknown')
    return `${name}: its engine tells only by building; run: guestree upgrade ${name} --no-switch\n`;
  return changes.length === 0 ? `${name}: nothing to upgrade\n` : `${name}:\n${renderChanges(changes)}`;
}
