import { expect, test } from 'vitest';
import { countConnections } from '../../../src/apply/channels.ts';

/** Of a host with one connection that was accepted and one that waits (Linux 6.18), shortened. */
const UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 54321 /run/guestree/ports/mail/25.a
0000000000000000: 00000003 00000000 00000000 0001 03 54400 /run/guestree/ports/mail/25.a
0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/guestree/ports/mail/25.a
0000000000000000: 00000003 00000000 00000000 0001 03 54401 /run/guestree/ports/mail/25.b
0000000000000000: 00000003 00000000 00000000 0001 03 54402 /run/guestree/ports/mail/2525.a
0000000000000000: 00000003 00000000 00000000 0001 03 54403
0000000000000000: 00000003 00000000 00000000 0002 01 54404 @/run/guestree/ports/mail/25.a
`;

test('connections of a channel are those that were accepted and those that wait for it, and not its socket', () => {
  const count = (...ports: string[]): number =>
    countConnections(UNIX, new Set(ports.map((port) => `/run/guestree/ports/mail/${port}`)));
  expect(count('25.a')).toBe(2);
  expect(count('25.b')).toBe(1);
  expect(count('25.a', '25.b', '2525.a')).toBe(4);
  expect(count('25.next')).toBe(0);
  expect(countConnections('', new Set(['/x']))).toBe(0);
});
