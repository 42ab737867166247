import type { GuestName } from '../model/names.ts';

/**
 * The names under which guestree works on the host's own sysroot while a guard window is open. Nobody else uses them, so
 * whatever bears one of them is guestree's to take away.
 */
const STATEROOT = 'guestree-';
const REFS = 'guestree/window/';

/** The stateroot that a guest's tree is staged in while the host's rpm-ostree layers packages on it. */
export function windowStateroot(guest: GuestName): string {
  return `${STATEROOT}${guest}`;
}

/** Keeps the tree that packages are layered on. */
export const BASE_REF = `${REFS}base`;
/** Keeps the commit of the host's own staged deployment. */
export const HOST_REF = `${REFS}host`;

export function isOurStateroot(name: string): boolean {
  return name.startsWith(STATEROOT);
}

export function isOurRef(name: string): boolean {
  return name.startsWith(REFS);
}
