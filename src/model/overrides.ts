import type { PackageName } from './names.ts';

/** A binary package in a file. */
export interface LocalRpm {
  name: PackageName;
  /** `NAME-[EPOCH:]VERSION-RELEASE.ARCH` */
  nevra: string;
  /** Of the whole file. */
  sha256: string;
}

/**
 * What a guest wants otherwise than its base has it. Like requested packages they survive upgrades, and are done again on
 * each new base.
 */
export interface Overrides {
  /** Packages of the base, without version. */
  removed: PackageName[];
  replaced: LocalRpm[];
}

export const NO_OVERRIDES: Overrides = { removed: [], replaced: [] };

export function hasOverrides({ removed, replaced }: Overrides): boolean {
  return removed.length > 0 || replaced.length > 0;
}

/** What a kept package file is called in the guest's directory of them. */
export function rpmFileName({ sha256, name }: Pick<LocalRpm, 'sha256' | 'name'>): string {
  return `${sha256}-${name}.rpm`;
}

export function isSha256(value: string): boolean {
  return /^[0-9a-f]{64}$/.test(value);
}

/** Letters as rpm's own packages may have them (rpm-version(7)); it reaches command lines and terminals. */
export function isNevra(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9+._^~:-]{0,250}\.[a-z0-9_]{1,20}$/.test(value);
}
