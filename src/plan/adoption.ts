import type { Origin } from '../formats/origin.ts';
import { renderDefinition, type Definition } from '../model/definition.ts';
import { Failure } from '../model/failure.ts';
import {
  isCommit,
  parsePackageName,
  parseRefName,
  quoted,
  type Commit,
  type PackageName,
} from '../model/names.ts';
import { NO_OVERRIDES } from '../model/overrides.ts';
import type { Plan } from './step.ts';

/** Taking over a guest that lives in a stateroot of the host's own sysroot. Nothing here touches the machine. */

/** A deployment directory of such a stateroot. */
export interface Candidate {
  /** `CSUM.SERIAL` */
  id: string;
  /** Staged for the next shutdown, in the boot menu, or in none of them: then the host's next cleanup deletes it. */
  place: 'staged' | 'listed' | 'unlisted';
  /** Position in `ostree admin status`: what `ostree admin undeploy` takes. Undefined for an unlisted one. */
  index: number | undefined;
  /** When its directory was made, in milliseconds since 1970. */
  madeAt: number;
  /**
   * Of the staged one: the deployment of the same stateroot whose changes in /etc ostree would merge into it when the
   * host shuts down. Until then it has the defaults of its tree only.
   */
  mergeFrom: string | undefined;
}

export interface Choice {
  chosen: Candidate;
  others: Candidate[];
}

/** The deployment that was asked for, else the staged one, the first listed one, or the newest unlisted one. */
export function chooseDeployment(
  stateroot: string,
  candidates: readonly Candidate[],
  wanted: string | undefined,
): Choice {
  const sorted = candidates.toSorted(byPreference);
  const chosen = wanted === undefined ? sorted[0] : sorted.find(({ id }) => id === wanted);
  if (chosen !== undefined) return { chosen, others: sorted.filter((each) => each !== chosen) };
  if (sorted.length === 0) {
    throw new Failure('not-found', `the stateroot "${stateroot}" has no deployment`, {
      hint: `Deploy its tree again with: ostree admin deploy --os=${stateroot} --not-as-default --retain REF`,
    });
  }
  throw new Failure('not-found', `the stateroot "${stateroot}" has no deployment ${quoted(wanted ?? '')}`, {
    hint: `There are: ${sorted.map(({ id }) => id).join(', ')}`,
  });
}

const ORDER: readonly Candidate['place'][] = ['staged', 'listed', 'unlisted'];

function byPreference(a: Candidate, b: Candidate): number {
  return (
    ORDER.indexOf(a.place) - ORDER.indexOf(b.place) ||
    (a.index ?? 0) - (b.index ?? 0) ||
    b.madeAt - a.madeAt ||
    serialOf(b.id) - serialOf(a.id)
  );
}

function serialOf(id: string): number {
  return Number(id.slice(id.indexOf('.') + 1));
}

/** What the origin of a deployment asks for, and what of it a guest cannot have. */
export interface Requests {
  packages: PackageName[];
  warnings: string[];
}

export function requestsOf(origin: Origin): Requests {
  const packages: PackageName[] = [];
  const refused: string[] = [];
  for (const word of origin.requested) {
    try {
      packages.push(parsePackageName(word));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      refused.push(word);
    }
  }
  const locals = [...origin.requestedLocal, ...origin.requestedLocalFileOverride].map(({ nevra }) => nevra);
  const replaced = [
    ...origin.overrideReplaceLocal.map(({ nevra }) => nevra),
    ...origin.overrideReplace.flatMap((each) => each.packages),
  ];
  const until = 'in the adopted tree, and not in the next one that is built';
  const initramfs =
    origin.regenerateInitramfs || origin.initramfsArgs.length > 0 || origin.initramfsEtc.length > 0;
  return {
    packages: [...new Set(packages)],
    warnings: [
      ...each(refused, (names) => `requests that are not names of packages are not kept: ${names}`),
      ...each(locals, (names) => `packages from local files stay ${until}: ${names}`),
      ...each(origin.overrideRemove, (names) => `packages of the base stay removed ${until}: ${names}`),
      ...each(replaced, (names) => `packages of the base stay replaced ${until}: ${names}`),
      ...(initramfs ? ['the settings of the initramfs are not kept: a guest boots without one'] : []),
      ...(origin.overrideCommit === undefined
        ? []
        : [`upgrades follow the ref and no longer stay at commit ${origin.overrideCommit.slice(0, 12)}`]),
    ],
  };
}

function each(names: readonly string[], sentence: (list: string) => string): string[] {
  return names.length === 0
    ? []
    : [sentence([...new Set(names)].map((name) => JSON.stringify(name)).join(', '))];
}

/** A ref of the host's repository, as a source can name it. */
export interface HostRef {
  remote: string | undefined;
  ref: string;
}

/** The ref that the origin follows: none for a container image, and none for a bare commit, which has no upgrades. */
export function refOf(origin: Origin): HostRef | undefined {
  if (origin.base.kind === 'container') return undefined;
  const [, remote, ref] = /^(?:([A-Za-z0-9_][A-Za-z0-9._-]*):)?([^:]+)$/.exec(origin.base.refspec) ?? [];
  if (ref === undefined || isCommit(ref)) return undefined;
  try {
    return { remote, ref: parseRefName(ref) };
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export interface Adoption {
  definition: Definition;
  stateroot: string;
  /** Deployments whose changes in /etc are taken, the last one on top. */
  deployments: string[];
  commit: Commit;
  /** The commit below the layers; the same one if there are none. */
  base: Commit;
  /** Whether the definition's source is the ref that guestree keeps (adoptedRef()). */
  kept: boolean;
  packages: PackageName[];
  start: boolean;
}

export function planAdopt(adoption: Adoption): Plan {
  const { definition, stateroot, deployments, commit, base, kept, packages, start } = adoption;
  const guest = definition.name;
  const generation = 1;
  const text = renderDefinition(definition);
  return {
    operation: 'adopt',
    guest,
    steps: [
      { action: 'prepare-host' },
      { action: 'make-sysroot', guest },
      { action: 'define', guest, text },
      { action: 'adopt-tree', guest, generation, commit, base, kept },
      { action: 'deploy', guest, generation, previous: undefined },
      { action: 'adopt-data', guest, stateroot, deployments },
      {
        ...{ action: 'render', guest, generation, origin: 'adopt', requested: packages },
        ...{ overrides: NO_OVERRIDES, definition: text },
      },
      { action: 'swap', guest, generation, previous: undefined },
      { action: 'link', guest },
      { action: 'reload' },
      { action: 'settle', guest, generation, previous: undefined, reason: 'adopt', unproven: undefined },
      ...(start ? [{ action: 'boot', guest } as const] : []),
    ],
  };
}

/** The commands that remove a stateroot from the host: what is undeployed moves the others up, so the last goes first. */
export function removalCommands(stateroot: string, candidates: readonly Candidate[]): string[] {
  const indexes = candidates.flatMap(({ index }) => (index === undefined ? [] : [index]));
  return [
    ...indexes.sort((a, b) => b - a).map((index) => `ostree admin undeploy ${index}`),
    ...(indexes.length < candidates.length ? ['ostree admin cleanup'] : []),
    `rm -r /sysroot/ostree/deploy/${stateroot}`,
  ];
}
