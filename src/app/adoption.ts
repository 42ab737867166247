import { readdir, stat } from 'node:fs/promises';
import { parseOrigin, type Origin } from '../formats/origin.ts';
import {
  bootedDeployment,
  HOST_PLACES,
  observeHost,
  type HostPlaces,
  type HostState,
} from '../guard/host.ts';
import { Failure } from '../model/failure.ts';
import { quoted, type Commit } from '../model/names.ts';
import { HOST_REPO } from '../model/paths.ts';
import type { Candidate } from '../plan/adoption.ts';
import { inspectCommit } from '../system/commit.ts';
import { isErrno, readOptional } from '../system/files.ts';
import type { Runner } from '../system/run.ts';

/** Looks at the host's own sysroot for a guest that somebody keeps there. */

/** The deployments of a stateroot that is not the host's own. */
export async function findCandidates(
  stateroot: string,
  places: HostPlaces = HOST_PLACES,
): Promise<Candidate[]> {
  const host = await observeHost(places);
  const own = bootedDeployment(host)?.stateroot;
  const foreign = host.stateroots.filter((each) => each !== own);
  if (stateroot === own) {
    throw new Failure('conflict', `"${stateroot}" is the stateroot that the host itself runs from`, {
      hint: `To make a guest of the host's tree, without its data: guestree create NAME --from ostree:REF`,
    });
  }
  if (!host.stateroots.includes(stateroot)) {
    throw new Failure('not-found', `the host has no stateroot ${quoted(stateroot)}`, {
      hint:
        foreign.length === 0
          ? 'It has none but its own. Make a guest with: guestree create NAME --from SOURCE'
          : `There are: ${foreign.join(', ')}. See: ostree admin status`,
    });
  }
  const directory = `${places.sysroot}/ostree/deploy/${stateroot}/deploy`;
  const listing = listed(host);
  const merge = host.staged.kind === 'staged' ? host.staged.deployment.mergeDeployment : undefined;
  const mergeId = merge?.stateroot === stateroot ? `${merge.commit}.${merge.serial}` : undefined;
  const present = host.deployments.filter((each) => each.stateroot === stateroot);
  return Promise.all(
    present.map(async ({ id }): Promise<Candidate> => {
      const place = `${stateroot}/${id}`;
      const found = await stat(`${directory}/${id}`);
      const index = listing.indexOf(place);
      const staged = index === 0 && host.staged.kind === 'staged';
      return {
        id,
        place: index < 0 ? 'unlisted' : staged ? 'staged' : 'listed',
        index: index < 0 ? undefined : index,
        // The time of birth is 0 where the file system keeps none.
        madeAt: found.birthtimeMs > 0 ? found.birthtimeMs : found.mtimeMs,
        mergeFrom: staged && present.some((each) => each.id === mergeId) ? mergeId : undefined,
      };
    }),
  );
}

/** The list of `ostree admin status`: the staged deployment, then the boot menu (ostree-sysroot.c, sysroot_load_from_bootloader_configs()). */
function listed(host: HostState): string[] {
  const { staged } = host;
  return [
    ...(isStaged(host) && staged.kind === 'staged'
      ? [`${staged.deployment.target.stateroot}/${staged.id}`]
      : []),
    ...host.menu.flatMap(({ target }) => (target === undefined ? [] : [`${target.stateroot}/${target.id}`])),
  ];
}

/** ostree lists the staged deployment as long as it can read the file, whether its directory is there or not. */
function isStaged(host: HostState): boolean {
  return host.staged.kind === 'staged';
}

/**
 * Refuses while something runs from one of the deployments, as a machine or as a service with RootDirectory=: a copy of
 * data that is being written to is worth nothing. A process shows its root directory in proc_pid_root(5).
 */
export async function requireIdle(
  stateroot: string,
  candidates: readonly Candidate[],
  places: HostPlaces = HOST_PLACES,
  proc = '/proc',
): Promise<void> {
  const roots = new Set<string>();
  for (const { id } of candidates)
    roots.add(await identity(`${places.sysroot}/ostree/deploy/${stateroot}/deploy/${id}`));
  const running: string[] = [];
  for (const pid of (await readdir(proc)).filter((name) => /^[0-9]+$/.test(name))) {
    try {
      if (roots.has(await identity(`${proc}/${pid}/root`))) running.push(pid);
    } catch (error) {
      // It ended, or is a kernel thread.
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ESRCH') && !isErrno(error, 'EACCES')) throw error;
    }
  }
  const [first] = running;
  if (first === undefined) return;
  throw new Failure('conflict', `"${stateroot}" is running: process ${first} has its root directory there`, {
    hint: `Stop it first: machinectl stop NAME, or the unit that is shown by: systemctl status ${first}`,
  });
}

async function identity(path: string): Promise<string> {
  const { dev, ino } = await stat(path);
  return `${dev}:${ino}`;
}

/** The origin of a deployment; undefined if its file is gone, as after a staged deployment was hidden and dropped. */
export async function readHostOrigin(
  stateroot: string,
  id: string,
  places: HostPlaces = HOST_PLACES,
): Promise<Origin | undefined> {
  const path = `${places.sysroot}/ostree/deploy/${stateroot}/deploy/${id}.origin`;
  const text = await readOptional(path);
  return text === undefined ? undefined : parseOrigin(text, path);
}

/**
 * The commit below the layers of a commit in the host's repository. It is the commit itself if it has none, or if
 * nothing is requested that could be layered again: what is in it would be lost at the next upgrade.
 */
export async function findBase(
  runner: Runner,
  commit: Commit,
  requested: boolean,
  warning: (text: string) => void,
): Promise<Commit> {
  const facts = await inspectCommit(runner, HOST_REPO, commit);
  if (facts === undefined) {
    throw new Failure('not-found', `the commit ${commit} is no longer in the repository ${HOST_REPO}`, {
      hint: `Fetch it again from where it came: ostree pull REMOTE ${commit}`,
    });
  }
  if (!requested || !facts.layered || facts.parent === undefined) return commit;
  if ((await inspectCommit(runner, HOST_REPO, facts.parent)) !== undefined) return facts.parent;
  warning(
    `the base ${facts.parent.slice(0, 12)} below the layers is no longer in ${HOST_REPO}: the layered tree becomes the base`,
  );
  return commit;
}
