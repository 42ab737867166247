import { renderTable } from '../app/output.ts';
import { readQuarantines, writeQuarantines } from '../apply/quarantine.ts';
import { Failure } from '../model/failure.ts';
import { parseGuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import type { Verb } from './verb.ts';

export const quarantine: Verb = {
  name: 'quarantine',
  args: '<name>',
  summary: 'list the trees of a guest that failed, say that they were seen, or let one out',
  kind: 'reading',
  writesState: true,
  examples: [
    'guestree quarantine mail',
    'guestree quarantine mail --seen',
    'guestree quarantine mail --release 7',
  ],
  declare: (command) =>
    void command
      .option('--seen', 'status and list no longer show what failed so far')
      .option('--release <generation>', 'an upgrade may take the tree of that generation again'),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const path = guestPaths(app.effects.paths, name).quarantine;
    const released = args.text('release');
    return app.locked(name, async () => {
      await app.observe(name);
      let all = await readQuarantines(path);
      if (released !== undefined) {
        const left = all.filter((each) => String(each.generation) !== released);
        if (left.length === all.length)
          throw noSuch(
            name,
            released,
            all.map(({ generation }) => generation),
          );
        await writeQuarantines(path, left);
        all = left;
      }
      if (args.flag('seen')) {
        all = all.map((each) => ({ ...each, seen: true }));
        await writeQuarantines(path, all);
      }
      app.print({ guest: name, quarantine: all }, () =>
        all.length === 0
          ? `${name}: no tree is in quarantine\n`
          : renderTable(
              app.streams,
              ['GENERATION', 'FAILED', 'IN', 'TREE', 'SEEN', 'WHY'],
              all.map((each) => [
                String(each.generation),
                each.time.slice(0, 16).replace('T', ' '),
                each.phase,
                each.tree.slice(0, 12),
                each.seen ? 'yes' : 'no',
                each.why,
              ]),
            ),
      );
      return undefined;
    });
  },
};

function noSuch(guest: string, wanted: string, there: readonly number[]): Failure {
  return new Failure('not-found', `the tree of generation ${JSON.stringify(wanted)} is not in quarantine`, {
    guest,
    hint: there.length === 0 ? 'No tree of this guest is.' : `There are: ${there.join(', ')}`,
  });
}
