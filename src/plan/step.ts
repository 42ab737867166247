import type { Origin } from '../model/generation.ts';
import type { Commit, GuestName, PackageName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';

/**
 * Every action that changes something, with its arguments. The union of steps and the total map of executors
 * (src/apply/executors.ts) are derived from this one: an action without an executor or a sentence does not compile.
 *
 * Steps name things (a guest, a number) and carry no results of earlier steps: what a step made is found again under
 * its name, so that any step can be repeated or undone by another process after a power cut.
 */
export interface StepArguments {
  /** State directory, pool repository and the host's units. */
  'prepare-host': object;
  /** The guest's directory with its private sysroot. */
  'make-sysroot': { guest: GuestName };
  /** The base tree of a new generation: imported, refreshed from its source, or the one of another generation. */
  'fetch-base': { guest: GuestName; generation: number; from: 'source' | 'refresh' | number };
  /** Package files that replace packages of the base are copied into the guest's directory, under their checksums. */
  'keep-rpms': { guest: GuestName; files: { path: string; name: PackageName; sha256: string }[] };
  /** The tree of a new generation: packages layered on its base, or on the tree of another generation. */
  layer: {
    guest: GuestName;
    generation: number;
    onto: 'base' | number;
    packages: PackageName[];
    /** What is removed from the base and replaced in it, by an engine that can. */
    overrides: Overrides;
    /** Bring every package to the newest version. */
    upgrade: boolean;
    /** The generation that it must differ from; equal content means that nothing changed. */
    unlike: number | undefined;
    /** Whether a tree is taken whose content was quarantined; else it counts as unchanged. */
    retry: boolean;
  };
  /** What the host has staged is saved, and shutdown held back: the host's rpm-ostree is going to work for a guest. */
  'open-window': { guest: GuestName };
  /** The tree to layer on is staged on the host, locked, in a stateroot of guestree's own. */
  'seed-window': { guest: GuestName; generation: number; onto: 'base' | number };
  /** Everything of the guest is taken from the host again. */
  'clear-window': { guest: GuestName };
  /** The host's own staged deployment is staged again and compared with what was saved. */
  'restage-host': { guest: GuestName };
  /** What was saved is forgotten. */
  'close-window': { guest: GuestName };
  /**
   * The tree of a deployment on the host's own sysroot, and the base below its layers, are taken into the pool. With
   * `kept`, a ref of the pool keeps the base as the source that the definition names.
   */
  'adopt-tree': { guest: GuestName; generation: number; commit: Commit; base: Commit; kept: boolean };
  /** /var of a stateroot on the host's own sysroot, and the changes in /etc of deployments in it, the last one on top. */
  'adopt-data': { guest: GuestName; stateroot: string; deployments: string[] };
  /** The tree becomes a pinned deployment in the guest's sysroot, with merged /etc. */
  deploy: { guest: GuestName; generation: number; previous: number | undefined };
  /** The generation's record and files. */
  render: {
    guest: GuestName;
    generation: number;
    origin: Origin;
    requested: PackageName[];
    overrides: Overrides;
    definition: string;
  };
  /** The definition in /etc/guestree. */
  define: { guest: GuestName; text: string };
  /** The definition gets another text; `before` is the one that it had. */
  redefine: { guest: GuestName; text: string; before: string };
  /** From here on what was built stays, whatever becomes of the switch to it: undoing ends here. */
  keep: { guest: GuestName; generation: number };
  /** The generation is booted beside the running guest, on a throw-away view of its /var, and checked. */
  preflight: { guest: GuestName; generation: number };
  /** New connections to the guest's held ports wait, those that are there get time to end; `generation` comes next. */
  'hold-ports': { guest: GuestName; generation: number };
  /** The host holds the ports of the new generation, where they are not those of the previous one. */
  'set-ports': { guest: GuestName; generation: number; previous: number };
  /** The generation is booted beside the guest, on the guest's own /var, and its health is checked. */
  'start-beside': { guest: GuestName; generation: number };
  /** The held ports lead to the instance beside the guest, or to the guest itself again. */
  'move-ports': { guest: GuestName; to: 'next' | 'own' };
  /** The instance beside the guest is shut down. */
  'stop-beside': { guest: GuestName };
  /** The guest is shut down because the user wants it. */
  halt: { guest: GuestName };
  /** The guest is shut down for a switch; undoing starts it again. */
  stop: { guest: GuestName };
  /** What changed in the running guest's /etc since the deployment was made is merged into it. */
  'merge-etc': { guest: GuestName; generation: number; previous: number };
  /** `current` points at the generation: one rename(2). */
  swap: { guest: GuestName; generation: number; previous: number | undefined };
  /** The host's links and drop-in of the guest. */
  link: { guest: GuestName };
  /** The service manager reads unit files again. */
  reload: object;
  /** The guest is booted because the user wants it; done when it says that it is ready. */
  boot: { guest: GuestName };
  /** The guest is booted in a switch; done when it says that it is ready. */
  start: { guest: GuestName };
  /** The guest that was started is checked; `told`: what is found is only told, because the user chose the generation. */
  'check-health': { guest: GuestName; generation: number; verdict: 'binding' | 'told' };
  /** The switch is written to the guest's event log; `unproven` says why there was no preflight. */
  settle: {
    guest: GuestName;
    generation: number;
    previous: number | undefined;
    reason: string;
    unproven: string | undefined;
  };
  /** A generation is removed with its deployment and refs. */
  retire: { guest: GuestName; generation: number };
  /** Objects that nothing refers to are deleted from a guest's sysroot, and at last from the pool. */
  prune: { guest: GuestName | undefined };
  /** The host's links, drop-in and definition of the guest are removed; it is no longer started at boot. */
  unlink: { guest: GuestName };
  /** /etc and /var of the guest are moved away before it is deleted. */
  'keep-data': { guest: GuestName; directory: string };
  /** The guest's directory and refs are deleted. */
  'delete-guest': { guest: GuestName };
}

export type Action = keyof StepArguments;
export type Step = { [A in Action]: { action: A } & StepArguments[A] }[Action];

export interface Plan {
  /** The command that it belongs to, for messages and the journal. */
  operation: string;
  guest: GuestName | undefined;
  steps: Step[];
}

const list = (packages: readonly string[]): string => packages.join(', ');

const shortId = (deployment: string): string => deployment.replace(/^([0-9a-f]{12})[0-9a-f]*/, '$1');

const SENTENCES: { [A in Action]: (args: StepArguments[A]) => string } = {
  'prepare-host': () => 'Prepare the state directory and the pool repository.',
  'make-sysroot': ({ guest }) => `Make a private sysroot for ${guest}.`,
  'fetch-base': ({ generation, from }) =>
    from === 'source'
      ? `Fetch the base tree for generation ${generation}.`
      : from === 'refresh'
        ? `Refresh the base tree for generation ${generation}.`
        : `Use the base tree of generation ${from} for generation ${generation}.`,
  'keep-rpms': ({ guest, files }) =>
    `Keep the package file${files.length === 1 ? '' : 's'} of ${list(files.map(({ name }) => name))} for ${guest}.`,
  layer: ({ generation, onto, packages, overrides: { removed, replaced }, upgrade }) => {
    const what = packages.length === 0 ? 'no packages' : list(packages);
    const where = onto === 'base' ? 'the base tree' : `the tree of generation ${onto}`;
    const less = removed.length === 0 ? '' : ` without ${list(removed)}`;
    const other = replaced.length === 0 ? '' : ` with ${list(replaced.map(({ nevra }) => nevra))}`;
    return `Build the tree of generation ${generation}: ${what} on ${where}${less}${other}${upgrade ? ', all packages upgraded' : ''}.`;
  },
  'open-window': () => "Save the host's staged deployment and hold back shutdown.",
  'seed-window': ({ guest, generation, onto }) => {
    const tree = onto === 'base' ? `base tree of generation ${generation}` : `tree of generation ${onto}`;
    return `Stage the ${tree} of ${guest} on the host, locked.`;
  },
  'clear-window': ({ guest }) => `Take the tree of ${guest} from the host again.`,
  'restage-host': () => "Stage the host's own deployment again and compare it.",
  'close-window': () => 'Forget what was saved of the host and let shutdowns pass.',
  'adopt-tree': ({ generation, commit, base }) =>
    `Take the tree ${commit.slice(0, 12)}${base === commit ? '' : `, layered on ${base.slice(0, 12)},`} of the host for generation ${generation}.`,
  'adopt-data': ({ stateroot, deployments }) =>
    `Copy /var of the stateroot ${stateroot} and the changes in /etc of its deployment ${deployments.map(shortId).join(', then of ')}.`,
  deploy: ({ generation, previous }) =>
    previous === undefined
      ? `Deploy the tree of generation ${generation} and pin it.`
      : `Deploy the tree of generation ${generation} with /etc merged from generation ${previous}, and pin it.`,
  render: ({ guest, generation }) => `Write the files of generation ${generation} of ${guest}.`,
  define: ({ guest }) => `Write the definition /etc/guestree/${guest}.guest.`,
  redefine: ({ guest }) => `Change the source in the definition /etc/guestree/${guest}.guest.`,
  keep: ({ generation }) => `Keep generation ${generation}, whatever becomes of the switch.`,
  preflight: ({ guest, generation }) =>
    `Boot generation ${generation} beside ${guest} and check it, on a throw-away view of its /var.`,
  'hold-ports': ({ guest }) => `Let new connections to the held ports of ${guest} wait.`,
  'set-ports': ({ guest, generation }) => `Hold the ports of generation ${generation} of ${guest}.`,
  'start-beside': ({ guest, generation }) =>
    `Boot generation ${generation} beside ${guest} on its own /var, and check its health.`,
  'move-ports': ({ guest, to }) =>
    `Move the held ports of ${guest} to ${to === 'next' ? 'the instance beside it' : 'itself'}.`,
  'stop-beside': ({ guest }) => `Stop the instance beside ${guest}.`,
  halt: ({ guest }) => `Stop ${guest}.`,
  stop: ({ guest }) => `Stop ${guest} for the switch.`,
  'merge-etc': ({ generation, previous }) =>
    `Merge later changes in /etc of generation ${previous} into generation ${generation}.`,
  swap: ({ guest, generation }) => `Make generation ${generation} current for ${guest}.`,
  link: ({ guest }) => `Link ${guest} for systemd-nspawn and machinectl.`,
  reload: () => 'Reload the service manager.',
  boot: ({ guest }) => `Start ${guest} and wait until it is ready.`,
  start: ({ guest }) => `Start ${guest} on it and wait until it is ready.`,
  'check-health': ({ guest, verdict }) =>
    `Check the health of ${guest}${verdict === 'told' ? ' and tell what is wrong' : ''}.`,
  settle: ({ generation }) => `Record the switch to generation ${generation}.`,
  retire: ({ guest, generation }) => `Remove generation ${generation} of ${guest}.`,
  prune: ({ guest }) =>
    `Delete unused objects from ${guest === undefined ? 'the pool' : `the sysroot of ${guest}`}.`,
  unlink: ({ guest }) => `Remove the links and the definition of ${guest} from the host.`,
  'keep-data': ({ guest, directory }) => `Move /etc and /var of ${guest} to ${directory}.`,
  'delete-guest': ({ guest }) => `Delete ${guest} with all of its generations.`,
};

/** A step as a sentence, for `--dry-run` and progress. */
export function describe(step: Step): string {
  // The compiler cannot relate the two sides of a mapped union; both come from StepArguments.
  return (SENTENCES[step.action] as (args: Step) => string)(step);
}
