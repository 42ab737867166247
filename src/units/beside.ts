import type { GuestName } from '../model/names.ts';
import { renderStaticDropIn } from './host.ts';
import { renderNspawn, type MachineFacts } from './nspawn.ts';
import { nextInstance } from './ports.ts';

/**
 * The instance beside a guest in a blue-green switch. It is started by the same template as the guest, from files below
 * /run: systemd-nspawn looks there for settings that it trusts (systemd.nspawn(5), .NSPAWN FILE DISCOVERY) and for images
 * (`/run/machines`, "place symlinks here": src/shared/discover-image.c).
 */
const NSPAWN = '/run/systemd/nspawn';
const MACHINES = '/run/machines';
const UNITS = '/run/systemd/system';

export function besideUnit(guest: GuestName): string {
  return `systemd-nspawn@${nextInstance(guest)}.service`;
}

export interface BesideFiles {
  /** Symlink to the deployment. */
  machine: string;
  nspawn: { path: string; text: string };
  dropIn: { path: string; text: string };
}

/** Where its files are; with all facts also what is in them. */
export function besideFiles(
  facts: Pick<MachineFacts, 'name'> & Partial<Omit<MachineFacts, 'name' | 'ports'>> & { state?: string },
): BesideFiles {
  const instance = nextInstance(facts.name);
  const { name, generation, etc, variable, network, link, state } = facts;
  const whole =
    generation !== undefined && etc !== undefined && variable !== undefined && network !== undefined
      ? // The tree's own host name is used if it has one (systemd.nspawn(5), Hostname=); else the guest's, not NAME-next.
        renderNspawn({ name, generation, etc, variable, network, link, ports: [], hostname: name })
      : '';
  return {
    machine: `${MACHINES}/${instance}`,
    nspawn: { path: `${NSPAWN}/${instance}.nspawn`, text: whole },
    dropIn: {
      path: `${UNITS}/systemd-nspawn@${instance}.service.d/50-guestree.conf`,
      text: state === undefined ? '' : renderStaticDropIn(name, state, NSPAWN),
    },
  };
}
