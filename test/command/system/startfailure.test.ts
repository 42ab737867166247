import { expect, test } from 'vitest';
import { tellStartFailure } from '../../../src/system/startfailure.ts';

/** `journalctl --unit=… --output=cat --lines=5` after systemd-nspawn failed to start, systemd 257. */
const TIMEOUT = `All filesystems, swaps, loop devices, MD devices and DM devices detached.
Halting system.
guestree-preflight-mail.service: Failed with result 'timeout'.
Failed to start guestree-preflight-mail.service - Preflight of guest mail, generation 4.
guestree-preflight-mail.service: Consumed 2.217s CPU time.
`;
const PROTOCOL = `Starting guestree-preflight-mail.service - Preflight of guest mail, generation 5...
guestree-preflight-mail.service: Failed with result 'protocol'.
Failed to start guestree-preflight-mail.service - Preflight of guest mail, generation 5.
`;
const SAID = `Starting systemd-nspawn@mail.service - Guest mail, generation 6...
Directory /var/lib/machines/mail doesn't look like it has an OS tree. Refusing.
systemd-nspawn@mail.service: Main process exited, code=exited, status=1/FAILURE
systemd-nspawn@mail.service: Failed with result 'exit-code'.
`;

test.each([
  [TIMEOUT, 'it was not ready in time (it said: Halting system.)'],
  [PROTOCOL, 'it ended before it was ready'],
  [SAID, /^it ended before it was ready \(it said: Directory .* Refusing\.\)$/],
  ['', 'it ended before it was ready'],
])('a failed start is told in one line: %#', (log, line) => {
  expect(tellStartFailure(log)).toMatch(line);
  expect(tellStartFailure(log)).not.toContain('\n');
});
