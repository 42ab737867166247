import { parseCleanPath, type GuestName } from '../model/names.ts';
import { formatPort, type Network, type PortMapping } from '../model/network.ts';
import { GUEST_INTERFACE } from '../model/pair.ts';
import { escapeSpecifiers, UnitFile } from '../unitfile/unitfile.ts';

export interface MachineFacts {
  name: GuestName;
  generation: number;
  /** The deployment's etc and the stateroot's var, seen through the writable alias of the state directory. */
  etc: string;
  variable: string;
  network: Network;
  ports: readonly PortMapping[];
  /** The host's end of the link for held ports, if there are any. */
  link?: string | undefined;
  /** Another host name than that of the machine. */
  hostname?: string;
}

/**
 * The guest's .nspawn file (systemd.nspawn(5)).
 *
 * - `PrivateUsers=pick` with `PrivateUsersOwnership=map`: an own user namespace over id-mapped mounts. Nothing is ever
 *   chowned: the tree's files are hardlinks into the pool.
 * - `ReadOnly=yes` with /etc and /var bound writable: what a guest may change is exactly that.
 * - The binds go through the alias because nspawn id-maps the root directory in place first and then refuses to map a
 *   directory below it once more ("Failed to map ids for bind mount": seen on systemd 252 and 257).
 * - `NotifyReady=yes`: the unit counts as started when the guest's own manager says READY=1.
 * - `VirtualEthernetExtra=`: the link for held ports, a second veth pair beside whatever network the guest has; only
 *   with the network of the host there is none.
 * - `Timezone=off`, `LinkJournal=no`: nspawn writes nothing of its own into the guest's /etc and /var, which are
 *   merged and kept; `journalctl -M` reads the guest's journal where it is.
 */
export function renderNspawn(facts: MachineFacts): string {
  const file = UnitFile.parse(
    `# Guest ${facts.name}, generation ${facts.generation}. Made by guestree; edit ${facts.name}.guest instead.\n`,
  );
  file.add('Exec', 'Boot', 'yes');
  file.add('Exec', 'PrivateUsers', 'pick');
  file.add('Exec', 'NotifyReady', 'yes');
  if (facts.hostname !== undefined) file.add('Exec', 'Hostname', facts.hostname);
  file.add('Exec', 'Timezone', 'off');
  file.add('Exec', 'LinkJournal', 'no');
  file.add('Files', 'ReadOnly', 'yes');
  file.add('Files', 'PrivateUsersOwnership', 'map');
  file.add('Files', 'Bind', `${parseCleanPath(facts.etc)}:/etc:idmap`);
  file.add('Files', 'Bind', `${parseCleanPath(facts.variable)}:/var:idmap`);
  addNetwork(file, facts.network);
  for (const port of facts.ports) file.add('Network', 'Port', formatPort(port));
  if (facts.link !== undefined)
    file.add('Network', 'VirtualEthernetExtra', `${facts.link}:${GUEST_INTERFACE}`);
  return file.toString();
}

function addNetwork(file: UnitFile, network: Network): void {
  switch (network.kind) {
    case 'veth':
      file.add('Network', 'VirtualEthernet', 'yes');
      break;
    case 'bridge':
      file.add('Network', 'Bridge', network.name);
      break;
    case 'zone':
      file.add('Network', 'Zone', network.name);
      break;
    case 'none':
      file.add('Network', 'Private', 'yes').add('Network', 'VirtualEthernet', 'no');
      break;
    case 'host':
      file.add('Network', 'Private', 'no').add('Network', 'VirtualEthernet', 'no');
      break;
  }
}

/** The drop-in of a generation for systemd-nspawn@NAME.service: says in `systemctl status` what runs. */
export function renderGenerationDropIn(name: GuestName, generation: number): string {
  return UnitFile.empty()
    .add('Unit', 'Description', escapeSpecifiers(`Guest ${name}, generation ${generation}`))
    .toString();
}
