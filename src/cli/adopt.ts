import { findBase, findCandidates, readHostOrigin, requireIdle } from '../app/adoption.ts';
import type { App } from '../app/app.ts';
import { requireFreeName } from '../app/newguest.ts';
import { requirePrograms } from '../app/privilege.ts';
import type { Origin } from '../formats/origin.ts';
import { Failure } from '../model/failure.ts';
import { isGuestName, parseCommit, parseGuestName, parseRefName, type GuestName } from '../model/names.ts';
import { adoptedRef, HOST_REPO } from '../model/paths.ts';
import type { Source } from '../model/source.ts';
import {
  chooseDeployment,
  planAdopt,
  refOf,
  removalCommands,
  requestsOf,
  type Candidate,
  type Choice,
} from '../plan/adoption.ts';
import { Repo } from '../system/ostree.ts';
import { declareGuest, readGuest } from './guestoptions.ts';
import type { Verb } from './verb.ts';

export const adopt: Verb = {
  name: 'adopt',
  args: '<osname>',
  summary: "take over a guest that lives in a stateroot of the host's own sysroot",
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree adopt guest',
    'guestree adopt guest --as mail --listen tcp:25 --start',
    'guestree adopt guest --dry-run',
  ],
  declare: (command) =>
    void declareGuest(command)
      .option('--as <name>', 'name of the guest; that of the stateroot if left out')
      .option('--deployment <id>', 'CSUM.SERIAL; else the staged one, the first listed one, or the newest'),
  async run(app, args) {
    const stateroot = args.required(0);
    const name = guestName(stateroot, args.text('as'));
    const guest = readGuest(args);
    if (guest.listens.length > 0) requirePrograms(['ip']);
    if (!app.effects.ostreeBooted) {
      throw new Failure('unsupported', 'this host is not booted from OSTree, so it has no stateroots', {
        hint: `Make a guest with: guestree create ${name} --from SOURCE`,
      });
    }
    await app.locked(name, async () => {
      await requireFreeName(app.effects.paths, name);
      const candidates = await findCandidates(stateroot);
      const choice = chooseDeployment(stateroot, candidates, args.text('deployment'));
      await requireIdle(stateroot, candidates);
      const { id, mergeFrom } = choice.chosen;
      const commit = parseCommit(id.slice(0, id.indexOf('.')));
      const warning = (text: string): void => app.effects.progress.warning(text);
      const origin = await readHostOrigin(stateroot, id);
      const { source, kept } = await sourceOf(app, name, origin);
      const requests = origin === undefined ? { packages: [], warnings: [] } : requestsOf(origin);
      const base = await findBase(app.effects.runner, commit, requests.packages.length > 0, warning);
      for (const text of [...warningsOf(choice, origin), ...requests.warnings]) warning(text);
      const outcome = await app.apply(
        planAdopt({
          ...{ stateroot, commit, base, kept },
          deployments: mergeFrom === undefined ? [id] : [mergeFrom, id],
          definition: { name, source, ...guest },
          packages: requests.packages,
          start: args.flag('start'),
        }),
      );
      if (outcome === 'dry-run') return;
      const started = args.flag('start') ? ' and started' : '';
      app.streams.out(
        `${name}: generation 1 made from ${tell(choice.chosen)} of "${stateroot}"${started}\n` +
          (started === '' ? `Start it with: machinectl start ${name}\n` : '') +
          `The host still has "${stateroot}" with its /var, as it was. When nothing there is needed any more:\n` +
          removalCommands(stateroot, candidates)
            .map((line) => `  ${line}\n`)
            .join(''),
      );
    });
    return undefined;
  },
};

function guestName(stateroot: string, given: string | undefined): GuestName {
  if (given !== undefined) return parseGuestName(given);
  if (isGuestName(stateroot)) return stateroot;
  throw new Failure('invalid', `"${stateroot}" cannot be the name of a guest`, {
    hint: 'Give another name with --as NAME: lower-case letters, digits and single hyphens, a letter first.',
  });
}

/** The ref that the origin follows if the host's repository has it, else one that guestree keeps itself. */
async function sourceOf(
  app: App,
  name: GuestName,
  origin: Origin | undefined,
): Promise<{ source: Source; kept: boolean }> {
  const followed = origin === undefined ? undefined : refOf(origin);
  if (followed !== undefined) {
    const { remote, ref } = followed;
    const repo = new Repo(app.effects.runner, HOST_REPO);
    if ((await repo.resolve(remote === undefined ? ref : `${remote}:${ref}`)) !== undefined) {
      // Without Repo= it is the host's own repository, into which guestree pulls nothing.
      return { source: { kind: 'ostree', ref: parseRefName(ref), repo: undefined, remote }, kept: false };
    }
  }
  app.effects.progress.warning(
    `${name}: the host's repository has no ref to follow, so upgrades keep the base as it is; change From= in the definition`,
  );
  const ref = parseRefName(adoptedRef(name));
  return { source: { kind: 'ostree', ref, repo: app.effects.pool.path, remote: undefined }, kept: true };
}

function warningsOf({ chosen, others }: Choice, origin: Origin | undefined): string[] {
  const hidden = chosen.place === 'unlisted';
  return [
    ...(others.length === 0
      ? []
      : [
          `takes ${tell(chosen)}; other deployments: ${others.map(tell).join(', ')} (choose with --deployment)`,
        ]),
    ...(hidden ? ['no list of ostree has this deployment: the next cleanup of the host deletes it'] : []),
    ...(origin === undefined ? ['the deployment has no origin file: requested packages are not known'] : []),
  ];
}

const PLACES: Readonly<Record<Candidate['place'], string>> = {
  staged: 'the staged deployment',
  listed: 'the listed deployment',
  unlisted: 'the left-over deployment',
};

function tell({ id, place }: Candidate): string {
  return `${PLACES[place]} ${id}`;
}
