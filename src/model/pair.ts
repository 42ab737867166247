/**
 * The two ends of the link that a guest's held ports go over: a veth pair of its own, which needs no lease, no
 * forwarding, no NAT and no rule in a firewall, and which the network that the guest has otherwise does not know.
 *
 * The addresses are of 169.254.64.0/18, a part of the link-local block (RFC 3927), which is never routed and which no
 * site uses for its own networks. Each guest has a block of four: the host is the second of it, the guest the third,
 * and the instance that runs beside it in a blue-green switch the fourth. So the host always looks the same to the
 * guest. They are not loopback addresses, because services trust those: a mail server would relay for everybody.
 */
export interface Pair {
  /** Number of the block, 0 to 4095. */
  number: number;
}

/** How many guests of one host can have held ports. */
export const PAIRS = 4096;

/** Which of the two instances of a guest: the ordinary one, or the one beside it in a blue-green switch. */
export type Side = 'own' | 'next';

/** The name of the link's end in the guest. */
export const GUEST_INTERFACE = 'held0';

/** The name of the link's end on the host; an interface name has at most 15 bytes (IFNAMSIZ). */
export function hostInterface({ number }: Pair, side: Side): string {
  return `gt-${number}${side === 'next' ? '-next' : ''}`;
}

export function hostAddress(pair: Pair): string {
  return address(pair, 1);
}

export function guestAddress(pair: Pair, side: Side): string {
  return address(pair, side === 'own' ? 2 : 3);
}

function address({ number }: Pair, offset: number): string {
  const value = number * 4 + offset;
  return `169.254.${64 + (value >> 8)}.${value & 255}`;
}

/** Where the search for a free block begins: spread by name, so that two state directories rarely choose the same. */
export function firstChoice(name: string): number {
  // FNV-1a (RFC 9923), 32 bits.
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % PAIRS;
}
