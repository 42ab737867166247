import type { PackageChange } from '../apply/layering.ts';

/** Packages added, removed and changed between two lists (name → version), by name. */
export function comparePackages(
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
): PackageChange[] {
  const names = [...new Set([...from.keys(), ...to.keys()])].sort();
  return names
    .filter((name) => from.get(name) !== to.get(name))
    .map((name) => ({ package: name, from: from.get(name), to: to.get(name) }));
}
