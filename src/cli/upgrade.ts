import { pendingChanges } from '../app/upgrades.ts';
import { EXIT_UNCHANGED, Failure } from '../model/failure.ts';
import { planUpgrade } from '../plan/operations.ts';
import type { PackageChange } from '../apply/layering.ts';
import type { GuestName } from '../model/names.ts';
import { applyAndTell } from './change.ts';
import { renderChanges } from './diff.ts';
import type { Verb } from './verb.ts';

export const upgrade: Verb = {
  name: 'upgrade',
  args: '[name...]',
  summary: 'refresh the base and the layers of guests; exit code 77 if nothing changed',
  kind: 'changing',
  writesState: true,
  examples: ['guestree upgrade mail', 'guestree upgrade --all --no-switch', 'guestree upgrade mail --check'],
  declare: (command) =>
    void command
      .option('--all', 'all guests')
      .option('--check', 'only look: exit code 0 if there is something to upgrade, 77 if not')
      .option('--json', 'with --check: print JSON')
      .option('--no-switch', 'make the generation, but go on with the current one'),
  async run(app, args) {
    const given = args.many(0);
    if (args.flag('all') === given.length > 0) {
      throw new Failure('usage', 'name the guests to upgrade, or use --all', {
        hint: 'For example: guestree upgrade mail',
      });
    }
    const names = args.flag('all') ? await app.guests() : given;
    const found: Record<string, unknown>[] = [];
    const changed = new Set<string>();
    await app.each(names, async (name) => {
      const code = await app.locked(name, async () => {
        const state = await app.observe(name);
        const changes = await pendingChanges(app.effects, state);
        if (args.flag('check')) {
          found.push({ name, changes: changes === 'unknown' ? null : changes });
          if (!app.options.json) app.streams.out(tellChanges(name, changes));
          return changes.length === 0 ? EXIT_UNCHANGED : 0;
        }
        return applyAndTell(
          app,
          name,
          changes.length === 0 ? 'unchanged' : planUpgrade(state, !args.denied('switch')),
        );
      });
      if (code === 0) changed.add(name);
    });
    if (args.flag('check') && app.options.json) app.print({ guests: found }, () => '');
    return changed.size > 0 ? 0 : EXIT_UNCHANGED;
  },
};

function tellChanges(name: GuestName, changes: readonly PackageChange[] | 'unknown'): string {
  if (changes === 'unknown')
    return `${name}: its engine tells only by building; run: guestree upgrade ${name} --no-switch\n`;
  return changes.length === 0 ? `${name}: nothing to upgrade\n` : `${name}:\n${renderChanges(changes)}`;
}
