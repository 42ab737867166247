import { isDeepStrictEqual } from 'node:util';
import { canOverride } from '../model/engine.ts';
import { Failure } from '../model/failure.ts';
import type { PackageName } from '../model/names.ts';
import { hasOverrides, NO_OVERRIDES, type LocalRpm, type Overrides } from '../model/overrides.ts';
import { newest, planChange, takeUpPending, type ChangeWish } from './operations.ts';
import type { GuestState } from './state.ts';
import type { Plan } from './step.ts';

/** What a user asks for: the sub-commands of `rpm-ostree override`. */
export type OverrideChange =
  | { action: 'remove'; packages: readonly PackageName[] }
  | { action: 'replace'; files: readonly LocalRpmFile[] }
  | { action: 'reset'; packages: readonly PackageName[] | 'all' };

/** A package file at an absolute path of the host. */
export interface LocalRpmFile extends LocalRpm {
  path: string;
}

/**
 * Removes packages of the base, replaces them, or lets them be what they are in the base again.
 * @param base names of the packages of the base
 */
export function planOverride(
  state: GuestState,
  change: OverrideChange,
  base: ReadonlySet<string>,
  wish: ChangeWish,
): Plan | 'unchanged' {
  requireOverridable(state);
  const from = newest(state);
  const overrides = changed(state, from.overrides, change, base);
  if (isDeepStrictEqual(overrides, from.overrides)) return takeUpPending(state, wish);
  const plan = planChange(state, 'override', from.requested, {
    base: from.number,
    onto: 'base',
    packages: from.requested,
    overrides,
    upgrade: false,
    wish,
  });
  if (change.action !== 'replace') return plan;
  const [first, ...rest] = plan.steps;
  const files = change.files.map(({ path, name, sha256 }) => ({ path, name, sha256 }));
  const keep = { action: 'keep-rpms', guest: state.name, files } as const;
  return { ...plan, steps: first === undefined ? [keep] : [first, keep, ...rest] };
}

/** Whether the engine of the guest has overrides. @throws Failure `unsupported` */
export function requireOverridable(state: GuestState): void {
  const chosen = state.definition.engine;
  const engine = chosen === 'auto' ? newest(state).engine : chosen;
  if (canOverride(engine)) return;
  throw new Failure('unsupported', `packages of the base cannot be overridden with the engine ${engine}`, {
    guest: state.name,
    hint:
      engine === 'apt'
        ? 'apt brings its base up to date with every upgrade; ask for a certain version with: guestree install NAME PKG=VERSION'
        : 'Only rpm-ostree can: set Engine=rpm-ostree or Engine=rpm-ostree:host in the guest’s definition.',
  });
}

function changed(
  state: GuestState,
  { removed, replaced }: Overrides,
  change: OverrideChange,
  base: ReadonlySet<string>,
): Overrides {
  const without = <T>(all: readonly T[], nameOf: (each: T) => string, names: ReadonlySet<string>): T[] =>
    all.filter((each) => !names.has(nameOf(each)));
  const own = (name: PackageName): string => name;
  const ofFile = ({ name }: LocalRpm): string => name;
  switch (change.action) {
    case 'remove': {
      const names = new Set<string>(change.packages);
      requireInBase(state, change.packages, base);
      const fresh = change.packages.filter((name) => !removed.includes(name));
      return { removed: [...removed, ...fresh], replaced: without(replaced, ofFile, names) };
    }
    case 'replace': {
      const files = change.files.map(({ name, nevra, sha256 }) => ({ name, nevra, sha256 }));
      requireInBase(state, files.map(ofFile), base);
      const names = new Set<string>(files.map(ofFile));
      const all = [...without(replaced, ofFile, names), ...files];
      return {
        removed: without(removed, own, names),
        replaced: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
      };
    }
    case 'reset': {
      if (change.packages === 'all') return NO_OVERRIDES;
      const names = new Set<string>(change.packages);
      requireOverridden(state, { removed, replaced }, change.packages);
      return { removed: without(removed, own, names), replaced: without(replaced, ofFile, names) };
    }
  }
}

/** rpm-ostree itself would take a replacement of what is not in the base, and never use it. */
function requireInBase(state: GuestState, names: readonly string[], base: ReadonlySet<string>): void {
  const missing = names.filter((name) => !base.has(name));
  if (missing.length === 0) return;
  const layered = missing.some((name) => newest(state).requested.some((each) => each === name));
  throw new Failure('not-found', `not in the base: ${missing.join(', ')}`, {
    guest: state.name,
    hint: layered
      ? `Only packages of the base can be overridden; a layered one is taken out with: guestree uninstall ${state.name} ${missing.join(' ')}`
      : 'Only packages of the base can be overridden. Check the spelling; the guest knows its packages: rpm -qa',
  });
}

function requireOverridden(state: GuestState, overrides: Overrides, names: readonly string[]): void {
  const known = [...overrides.removed, ...overrides.replaced.map(({ name }) => name)];
  const unknown = names.filter((name) => !known.some((each) => each === name));
  if (unknown.length === 0) return;
  throw new Failure('not-found', `not overridden: ${unknown.join(', ')}`, {
    guest: state.name,
    hint: hasOverrides(overrides) ? `Overridden are: ${known.join(', ')}.` : 'This guest has no overrides.',
  });
}
