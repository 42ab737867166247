import { parseDefinition, renderDefinition, type Definition } from '../model/definition.ts';
import type { EngineChoice } from '../model/engine.ts';
import { Failure } from '../model/failure.ts';
import { barePackageName, type GuestName, type PackageName } from '../model/names.ts';
import { hasOverrides, NO_OVERRIDES, type Overrides } from '../model/overrides.ts';
import { holdSteps, portSteps } from './ports.ts';
import {
  currentGeneration,
  isFresh,
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
      }),
      { action: 'deploy', guest, generation, previous: undefined },
      {
        ...{ action: 'render', guest, generation, origin: 'create', requested: packages },
        ...{ overrides: NO_OVERRIDES, definition: text },
      },
      { action: 'swap', guest, generation, previous: undefined },
      { action: 'link', guest },
      { action: 'reload' },
      { action: 'settle', guest, generation, previous: undefined, reason: 'create' },
      ...(start ? [{ action: 'start', guest } as const] : []),
    ],
  };
}

export function planInstall(
  state: GuestState,
  packages: PackageName[],
  doSwitch: boolean,
): Plan | 'unchanged' {
  const base = newest(state);
  const missing = packages.filter((each) => !base.requested.includes(each));
  if (missing.length === 0) return 'unchanged';
  const names = new Set(missing.map(barePackageName));
  const requested = [...base.requested.filter((each) => !names.has(barePackageName(each))), ...missing];
  return planChange(state, 'install', requested, {
    base: base.number,
    // rpm-ostree takes a layered tree for its base, and makes the layer anew from the whole list of requests.
    ...(base.engine.startsWith('rpm-ostree') || state.definition.engine.startsWith('rpm-ostree')
      ? { onto: 'base', packages: requested }
      : { onto: base.number, packages: missing }),
    upgrade: false,
    doSwitch,
  });
}

export function planUninstall(state: GuestState, packages: PackageName[], doSwitch: boolean): Plan {
  const base = newest(state);
  const names = new Set(packages.map(barePackageName));
  const asked = new Set(base.requested.map(barePackageName));
  const unknown = [...names].filter((each) => !asked.has(each));
  if (unknown.length > 0) {
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
    doSwitch,
  });
}

export function planUpgrade(state: GuestState, doSwitch: boolean): Plan {
  const { requested } = newest(state);
  return planChange(state, 'upgrade', requested, {
    // Looking for upgrades has already imported the others again; a Debian base is brought up to date in the plan.
    base: state.definition.source.kind === 'debian' ? 'refresh' : 'source',
    onto: 'base',
    packages: requested,
    upgrade: true,
    doSwitch,
  });
}

/** The packages that were asked for, on another base. */
export function planRebase(
  state: GuestState,
  definition: { before: string; text: string },
  doSwitch: boolean,
): Plan {
  const { requested } = newest(state);
  const changed = { ...state, definition: parseDefinition(state.name, definition.text) };
  const plan = planChange(changed, 'rebase', requested, {
    base: 'source',
    onto: 'base',
    packages: requested,
    upgrade: false,
    doSwitch,
  });
  const [first, ...rest] = plan.steps;
  const redefine: Step = { action: 'redefine', guest: state.name, ...definition };
  return { ...plan, steps: first === undefined ? [redefine] : [first, redefine, ...rest] };
}

interface Change {
  base: 'refresh' | 'source' | number;
  onto: 'base' | number;
  packages: PackageName[];
  /** Those of the newest generation if left out. */
  overrides?: Overrides;
  upgrade: boolean;
  doSwitch: boolean;
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
      }),
      { action: 'deploy', guest, generation, previous: state.current },
      { action: 'render', guest, generation, origin, requested, overrides, definition },
      ...(change.doSwitch ? switchSteps(state, generation, origin, true) : []),
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
function switchSteps(state: GuestState, generation: number, reason: string, fresh: boolean): Step[] {
  const guest = state.name;
  const previous = state.current;
  return [
    ...holdSteps(state, generation),
    ...(state.active ? [{ action: 'stop', guest } as const] : []),
    ...(fresh ? [{ action: 'merge-etc', guest, generation, previous } as const] : []),
    { action: 'swap', guest, generation, previous },
    ...portSteps(state, generation),
    ...(state.active ? [{ action: 'start', guest } as const] : []),
    // After the start, so that it costs no downtime: a generation's drop-in holds nothing but a description.
    { action: 'reload' },
    { action: 'settle', guest, generation, previous, reason },
  ];
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
    steps: switchSteps(state, target, 'rollback', isFresh(state, target)),
  };
}

/** `restart`, and `start` of a stopped guest: a generation that waits is taken up. */
export function planActivatePending(state: GuestState): Plan | undefined {
  const pending = pendingGeneration(state);
  if (pending === undefined) return undefined;
  return { operation: 'switch', guest: state.name, steps: switchSteps(state, pending, 'switch', true) };
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
      ...(state.active ? [{ action: 'stop', guest } as const] : []),
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
