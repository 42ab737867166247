import { observeDrift, type Drift } from '../tree/drift.ts';
import { comparePackages } from '../engines/comparison.ts';
import { guestPaths, treeRef } from '../model/paths.ts';
import { Failure } from '../model/failure.ts';
import { parseGenerationNumber, parseGuestName } from '../model/names.ts';
import type { PackageChange } from '../apply/layering.ts';
import { requireGeneration } from '../plan/operations.ts';
import { pendingGeneration, previousGeneration } from '../plan/state.ts';
import { Sysroot } from '../system/ostree.ts';
import type { Verb } from './verb.ts';

export const diff: Verb = {
  name: 'diff',
  args: '<name> [a] [b]',
  summary: 'packages that differ between two generations, and what was changed in /etc',
  kind: 'reading',
  examples: [
    'guestree diff mail        # the previous generation against the current one',
    'guestree diff mail 2 5',
  ],
  async run(app, args) {
    const { effects } = app;
    const state = await app.observe(parseGuestName(args.required(0)));
    const a = args.one(1);
    const b = args.one(2);
    const pending = pendingGeneration(state);
    const from =
      a === undefined
        ? pending === undefined
          ? previousGeneration(state)
          : state.current
        : parseGenerationNumber(a);
    const to =
      b === undefined
        ? a === undefined
          ? (pending ?? state.current)
          : state.current
        : parseGenerationNumber(b);
    for (const generation of [from, to]) if (generation !== undefined) requireGeneration(state, generation);
    const packages =
      from === undefined
        ? []
        : comparePackages(
            await effects.layering.packages(await effects.pool.require(treeRef(state.name, from))),
            await effects.layering.packages(await effects.pool.require(treeRef(state.name, to))),
          );
    const record = state.generations.find((each) => each.number === to);
    if (record === undefined)
      throw new Failure('not-found', `there is no generation ${to}`, { guest: state.name });
    const sysroot = new Sysroot(effects.runner, guestPaths(effects.paths, state.name).sysroot);
    const etc = await observeDrift(sysroot.directory(state.name, record.deployment));
    app.print({ guest: state.name, from, to, packages, etc }, () => {
      const title = from === undefined ? `generation ${to}` : `generation ${from} → ${to}`;
      return `Packages, ${title}:\n${packages.length === 0 ? '  no difference\n' : renderChanges(packages)}/etc of generation ${to}, against its tree:\n${renderDrift(etc)}`;
    });
    return undefined;
  },
};

export function renderChanges(changes: readonly PackageChange[]): string {
  return changes
    .map(({ package: name, from, to }) => {
      if (from === undefined) return `  + ${name} ${to ?? ''}\n`;
      if (to === undefined) return `  - ${name} ${from}\n`;
      return `  ~ ${name} ${from} → ${to}\n`;
    })
    .join('');
}

function renderDrift(drift: readonly Drift[]): string {
  if (drift.length === 0) return '  no difference\n';
  const marks = { added: '+', removed: '-', changed: '~' } as const;
  return drift.map((each) => `  ${marks[each.change]} /etc/${each.path}\n`).join('');
}
