import { Failure } from '../model/failure.ts';
import { bootedDeployment, type HostState } from './host.ts';

/** Refuses a guard window over a host whose state could not be given back afterwards. */
export function refuseWindow(host: HostState): void {
  const { staged } = host;
  const refuse = (message: string, hint: string): never => {
    throw new Failure('conflict', message, { hint });
  };
  if (host.softReboot) {
    refuse(
      'the host has prepared a soft reboot, which would be lost',
      'Do the soft reboot first (systemctl soft-reboot), then run this command again.',
    );
  }
  if (staged.kind === 'unreadable')
    refuse(`the host's staged deployment cannot be read: ${staged.why}`, 'See: guestree guard');
  if (staged.kind !== 'staged') return;
  const { stateroot } = staged.deployment.target;
  if (!staged.whole) {
    refuse(
      `the host's staged deployment ${stateroot} ${staged.id} is dangling: its directory or its origin is gone`,
      'Remove it with: guestree guard --repair',
    );
  }
  const booted = bootedDeployment(host);
  if (booted !== undefined && booted.stateroot !== stateroot) {
    refuse(
      `"${stateroot}" is staged to become what the host boots next, and the host is "${booted.stateroot}"`,
      'If that is not meant, undo it with: guestree guard --repair. If it is, reboot first.',
    );
  }
  if ((staged.deployment.overlayInitrds ?? []).length > 0) {
    refuse(
      "the host's staged deployment has initrds of its own, which cannot be staged a second time",
      'Reboot into it first (systemctl reboot), then run this command again.',
    );
  }
}
