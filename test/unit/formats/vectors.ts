import { readFileSync } from 'node:fs';

/**
 * Staged deployments as GLib's serialiser writes them: what ostree 2020.8 and 2026.2 and rpm-ostree put into the file,
 * with made-up checksums.
 */
export const VECTORS = ['min', 'old2020', 'new2026', 'rpmostree-empty-initrds'] as const;

export function vector(name: (typeof VECTORS)[number]): Uint8Array {
  return Uint8Array.from(readFileSync(new URL(`../../fixtures/staged/${name}.gvariant`, import.meta.url)));
}
