import { parseDefinition, renderDefinition, type Definition } from '../model/definition.ts';
import type { EngineChoice } from '../model/engine.ts';
import { Failure } from '../model/failure.ts';
import { barePackageName, type GuestName, type PackageName } from '../model/names.ts';
import { hasOverrides, NO_OVERRIDES, type Overrides } from '../model/overrides.ts';
import type { Quarantine } from '../model/quarantine.ts';
import { canRunBeside, holdSteps, portSteps } from './ports.ts';
import {
  currentGeneration,
  failureOf,
  isFresh,
  newestGeneration,
  nextNumber,
  pendingGeneration,
  previousGeneration,
  type GuestState,
} from './state.ts';
import type { Plan, Step, StepArguments } from './step.ts';

/** From what is wanted and what is there to steps. Nothing here touches the machine. */

export function planCreate(definition: Definition, packages: PackageName[], start: boolean): Plan {
  const guest = definition.name;
  const generation = 1;
  const text = renderDefinition(definition);
  return {
    operation: 'create',
    guest,
    steps: [
      { action: 'prepare-host' },
      { action: 'make-sysroot', guest },
      { action: 'define', guest, text },
      { action: 'fetch-base', guest, generation, from: 'source' },
      ...layerSteps(definition.engine, {
        guest,
        generation,
        onto: 'base',
        packages,
        overrides: NO_OVERRIDES,
        upgrade: false,
        unlike: undefined,
        retry: true,
      }),
      { action: 'deploy', guest, generation, previous: undefined },
      {
        ...{ action: 'render', guest, generation, origin: 'create', requested: packages },
        ...{ overrides: NO_OVERRIDES, definition: text },
      },
      { action: 'swap', guest, generation, previous: undefined },
      { action: 'link', guest },
      { action: 'reload' },
      { action: 'settle', guest, generation, previous: undefined, reason: 'create', unproven: undefined },
      ...(start ? [{ action: 'boot', guest } as const] : []),
    ],
  };
}

export function planInstall(
  state: GuestState,
  packages: PackageName[],
  wish: ChangeWish,
): Plan | 'unchanged' {
  const base = newest(state);
  const missing = packages.filter((each) => !base.requested.includes(each));
  if (missing.length === 0) return takeUpPending(state, wish);
  const names = new Set(missing.map(barePackageName));
  const requested = [...base.requested.filter((each) => !names.has(barePackageName(each))), ...missing];
  return planChange(state, 'install', requested, {
    base: base.number,
    // rpm-ostree takes a layered tree for its base, and makes the layer anew from the whole list of requests.
    ...(base.engine.startsWith('rpm-ostree') || state.definition.engine.startsWith('rpm-ostree')
      ? { onto: 'base', packages: requested }
      : { onto: base.number, packages: missing }),
    upgrade: false,
    wish,
  });
}

export function planUninstall(
  state: GuestState,
  packages: PackageName[],
  wish: ChangeWish,
): Plan | 'unchanged' {
  const base = newest(state);
  const names = new Set(packages.map(barePackageName));
  const unknown = without(names, base.requested);
  if (unknown.length > 0) {
    // Taken out already, by a generation that waits: of an earlier try that was cut off before the switch, for example.
    if (without(names, currentGeneration(state).requested).length === 0) return takeUpPending(state, wish);
    throw new Failure('not-found', `not layered: ${unknown.join(', ')}`, {
      guest: state.name,
      hint:
        base.requested.length === 0
          ? 'This guest has no layered packages; packages of its base stay.'
          : `Layered are: ${base.requested.join(', ')}. Packages of the base stay.`,
    });
  }
  const requested = base.requested.filter((each) => !names.has(barePackageName(each)));
  return planChange(state, 'uninstall', requested, {
    base: base.number,
    onto: 'base',
    packages: requested,
    upgrade: true,
    wish,
  });
}

/** Names that nobody asked for. */
function without(names: ReadonlySet<string>, requested: readonly PackageName[]): string[] {
  const asked = new Set<string>(requested.map(barePackageName));
  return [...names].filter((each) => !asked.has(each));
}

/**
 * An upgrade after it was looked for.
 * @param found whether there is anything newer than the newest generation
 * @returns also why nothing is done, if that is because a tree failed
 */
export function chooseUpgrade(
  state: GuestState,
  found: boolean,
  wish: ChangeWish,
): { plan: Plan | 'unchanged'; failed?: Quarantine } {
  if (found) return { plan: planUpgrade(state, wish) };
  const { number } = newestGeneration(state);
  const failed = failureOf(state, number);
  if (failed === undefined) return { plan: takeUpPending(state, wish) };
  if (wish.retry !== true || !wish.doSwitch || !mayStop(state)) return { plan: 'unchanged', failed };
  return { plan: planSwitch(state, number, wish) };
}

export function planUpgrade(state: GuestState, wish: ChangeWish): Plan {
  const { requested } = newest(state);
  return planChange(state, 'upgrade', requested, {
    // Looking for upgrades has already imported the others again; a Debian base is brought up to date in the plan.
    base: state.definition.source.kind === 'debian' ? 'refresh' : 'source',
    onto: 'base',
    packages: requested,
    upgrade: true,
    wish,
  });
}

/** The packages that were asked for, on another base. */
export function planRebase(
  state: GuestState,
  definition: { before: string; text: string },
  wish: ChangeWish,
): Plan {
  const { requested } = newest(state);
  const changed = { ...state, definition: parseDefinition(state.name, definition.text) };
  const plan = planChange(changed, 'rebase', requested, {
    base: 'source',
    onto: 'base',
    packages: requested,
    upgrade: false,
    wish,
  });
  const [first, ...rest] = plan.steps;
  const redefine: Step = { action: 'redefine', guest: state.name, ...definition };
  return { ...plan, steps: first === undefined ? [redefine] : [first, redefine, ...rest] };
}

/** Nothing new has to be built; a generation that waits becomes current, if that is wished. */
export function takeUpPending(state: GuestState, wish: ChangeWish): Plan | 'unchanged' {
  if (!wish.doSwitch || !mayStop(state)) return 'unchanged';
  return planActivatePending(state, wish) ?? 'unchanged';
}

/** With Strategy=none only the user's own start or restart makes a running guest go over to what was built. */
function mayStop(state: GuestState): boolean {
  return !state.active || state.definition.switching.strategy !== 'none';
}

/** What the user says about the switch that follows a build. */
export interface SwitchWish {
  /** False: `--no-preflight`. */
  preflight?: boolean;
}

interface SwitchOptions extends SwitchWish {
  reason: string;
}

/** What the user says about a change: whether the guest shall go over to the new generation, and how. */
export interface ChangeWish extends SwitchWish {
  doSwitch: boolean;
  /** Take a tree again that was quarantined. */
  retry?: boolean;
}

interface Change {
  base: 'refresh' | 'source' | number;
  onto: 'base' | number;
  packages: PackageName[];
  /** Those of the newest generation if left out. */
  overrides?: Overrides;
  upgrade: boolean;
  wish: ChangeWish;
}

export function planChange(
  state: GuestState,
  origin: 'install' | 'uninstall' | 'upgrade' | 'rebase' | 'override',
  requested: PackageName[],
  change: Change,
): Plan {
  const guest = state.name;
  const generation = nextNumber(state);
  const { number: newestNumber, overrides: former } = newest(state);
  const overrides = change.overrides ?? former;
  const { wish } = change;
  const doSwitch = wish.doSwitch && mayStop(state);
  const definition = renderDefinition(state.definition);
  return {
    operation: origin,
    guest,
    steps: [
      { action: 'prepare-host' },
      { action: 'fetch-base', guest, generation, from: change.base },
      ...layerSteps(state.definition.engine, {
        guest,
        generation,
        onto: change.onto,
        packages: change.packages,
        overrides,
        upgrade: change.upgrade,
        unlike: origin === 'upgrade' ? newestNumber : undefined,
        retry: origin !== 'upgrade' || wish.retry === true,
      }),
      { action: 'deploy', guest, generation, previous: state.current },
      { action: 'render', guest, generation, origin, requested, overrides, definition },
      // A rebase changes the definition as well, so it is taken back as a whole.
      ...(doSwitch && origin !== 'rebase' ? [{ action: 'keep', guest, generation } as const] : []),
      ...(doSwitch ? switchSteps(state, generation, { reason: origin, ...wish }) : []),
    ],
  };
}

/** The host's daemon layers inside a guard window; the other engines touch nothing of the host. */
function layerSteps(engine: EngineChoice, args: StepArguments['layer']): Step[] {
  const { guest, generation, onto, packages, overrides } = args;
  const layer: Step = { action: 'layer', ...args };
  const nothing = packages.length === 0 && !hasOverrides(overrides);
  if (engine !== 'rpm-ostree:host' || nothing) return [layer];
  return [
    { action: 'open-window', guest },
    { action: 'seed-window', guest, generation, onto },
    layer,
    { action: 'clear-window', guest },
    { action: 'restage-host', guest },
    { action: 'close-window', guest },
  ];
}

/** The switch: everything before `stop` costs no downtime, everything after it until `start` has ended does. */
function switchSteps(state: GuestState, generation: number, options: SwitchOptions): Step[] {
  const guest = state.name;
  const previous = state.current;
  const unproven = whyUnproven(state, options);
  const fresh = isFresh(state, generation);
  // Who goes back has chosen, and would not be helped by being sent forward again.
  const verdict = options.reason === 'rollback' ? 'told' : 'binding';
  const when = (condition: boolean, step: Step): Step[] => (condition ? [step] : []);
  if (canRunBeside(state, generation)) {
    return [
      ...when(unproven === undefined, { action: 'preflight', guest, generation }),
      // Before the new instance starts: what it runs from is not replaced any more.
      ...when(fresh, { action: 'merge-etc', guest, generation, previous }),
      { action: 'start-beside', guest, generation },
      { action: 'move-ports', guest, to: 'next' },
      { action: 'stop', guest },
      { action: 'swap', guest, generation, previous },
      { action: 'start', guest },
      { action: 'check-health', guest, generation, verdict },
      { action: 'move-ports', guest, to: 'own' },
      { action: 'stop-beside', guest },
      { action: 'reload' },
      { action: 'settle', guest, generation, previous, reason: options.reason, unproven },
    ];
  }
  return [
    ...when(unproven === undefined, { action: 'preflight', guest, generation }),
    ...holdSteps(state, generation),
    ...when(state.active, { action: 'stop', guest }),
    ...when(fresh, { action: 'merge-etc', guest, generation, previous }),
    { action: 'swap', guest, generation, previous },
    ...portSteps(state, generation),
    ...when(state.active, { action: 'start', guest }),
    ...when(state.active, { action: 'check-health', guest, generation, verdict }),
    // After the start, so that it costs no downtime: a generation's drop-in holds nothing but a description.
    { action: 'reload' },
    { action: 'settle', guest, generation, previous, reason: options.reason, unproven },
  ];
}

/** Why a switch does without a preflight, for the record; undefined if there is one. */
function whyUnproven(state: GuestState, { reason, preflight }: SwitchOptions): string | undefined {
  if (!state.active) return 'the guest did not run';
  // What was current before has proved itself, and whoever goes back is in a hurry.
  if (reason === 'rollback') return 'a rollback has none';
  if (!state.definition.switching.preflight) return 'the definition says Preflight=no';
  return preflight === false ? 'skipped with --no-preflight' : undefined;
}

export function planRollback(state: GuestState, wanted: number | undefined): Plan | 'unchanged' {
  const target = wanted ?? previousGeneration(state);
  if (target === undefined) {
    throw new Failure('not-found', 'there is no earlier generation to go back to', {
      guest: state.name,
      hint: `List generations with: guestree history ${state.name}`,
    });
  }
  requireGeneration(state, target);
  if (target === state.current) return 'unchanged';
  return {
    operation: 'rollback',
    guest: state.name,
    steps: switchSteps(state, target, { reason: 'rollback' }),
  };
}

/** `restart`, and `start` of a stopped guest: a generation that waits is taken up. */
export function planActivatePending(state: GuestState, options: SwitchWish = {}): Plan | undefined {
  const pending = pendingGeneration(state);
  return pending === undefined ? undefined : planSwitch(state, pending, options);
}

/** The switch to a generation that is there and was never current. */
function planSwitch(state: GuestState, generation: number, options: SwitchWish = {}): Plan {
  const steps = switchSteps(state, generation, { reason: 'switch', ...options });
  return { operation: 'switch', guest: state.name, steps };
}

/**
 * Which generations go: all but the current, the previous, the one that runs, the pending one, pinned ones and the
 * newest `keep`.
 */
export function planCleanup(states: readonly GuestState[], keep: number): Plan[] {
  const plans = states.map((state): Plan => {
    const guest = state.name;
    const kept = new Set([
      state.current,
      state.running,
      previousGeneration(state),
      pendingGeneration(state),
      ...state.pinned,
      ...state.generations.slice(keep > 0 ? -keep : state.generations.length).map((each) => each.number),
    ]);
    const gone = state.generations.filter((each) => !kept.has(each.number));
    return {
      operation: 'cleanup',
      guest,
      steps: [
        ...gone.map((each) => ({ action: 'retire', guest, generation: each.number }) as const),
        { action: 'prune', guest },
      ],
    };
  });
  return [
    ...plans,
    { operation: 'cleanup', guest: undefined, steps: [{ action: 'prune', guest: undefined }] },
  ];
}

export function planRemove(state: GuestState, keepData: string | undefined): Plan {
  const guest = state.name;
  return {
    operation: 'remove',
    guest,
    steps: [
      ...(state.active ? [{ action: 'halt', guest } as const] : []),
      ...(keepData === undefined ? [] : [{ action: 'keep-data', guest, directory: keepData } as const]),
      { action: 'unlink', guest },
      { action: 'reload' },
      { action: 'delete-guest', guest },
      { action: 'prune', guest: undefined },
    ],
  };
}

/** A generation that must exist. */
export function requireGeneration(state: GuestState, generation: number): void {
  if (state.generations.some((each) => each.number === generation)) return;
  throw new Failure('not-found', `there is no generation ${generation}`, {
    guest: state.name,
    hint: `There are: ${state.generations.map((each) => each.number).join(', ')}. See: guestree history ${state.name}`,
  });
}

/** What a change starts from: a pending generation if there is one, else the current one. */
export function newest(state: GuestState): ReturnType<typeof currentGeneration> {
  const pending = pendingGeneration(state);
  return state.generations.find((each) => each.number === pending) ?? currentGeneration(state);
}

/** The names of a plan's guest for messages. */
export function planLabel(plan: Plan): GuestName | 'guestree' {
  return plan.guest ?? 'guestree';
}
