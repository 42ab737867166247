import { parseCleanPath, type GuestName } from '../model/names.ts';

/** Name of the machine that a preflight boots. A guest's name has at most 54 characters, so this one is valid too. */
export function preflightMachine(guest: GuestName): string {
  return `${guest}-preflight`;
}

export function preflightUnit(guest: GuestName): string {
  return `guestree-preflight-${guest}.service`;
}

export interface PreflightFacts {
  guest: GuestName;
  generation: number;
  /** The deployment's root, by its own path. */
  root: string;
  /** The guest's /var, and a scratch directory on a file system with extended attributes, both through the alias. */
  variable: string;
  scratch: string;
  /** Seconds until the machine must be ready. */
  timeout: number;
}

/** Directories of the scratch directory that overlays need: what is written, and room to work. */
export const PREFLIGHT_SCRATCH = ['var', 'var.work', 'etc', 'etc.work'] as const;

/**
 * Units that can only fail, or wait for long, where there is no network. Masked on the command line of the guest's PID 1,
 * which in a container is what it takes for the kernel's command line (systemd-debug-generator(8), systemd.mask=).
 */
const WAITING_FOR_NETWORK = [
  'systemd-networkd-wait-online.service',
  'NetworkManager-wait-online.service',
  'ifupdown-wait-online.service',
  'systemd-time-wait-sync.service',
];

/**
 * argv that boots a generation beside the running guest and returns when it is ready (systemd-run(1), Type=notify).
 *
 * - `--private-network` without a veth: a loopback interface and no route; no port is published.
 * - /etc and /var are overlays: below lies what is there, above a directory that is thrown away. They are mounted by the
 *   guest's own PID 1 before it becomes systemd, in the guest's user namespace: an overlay that the host mounts cannot be
 *   id-mapped, but one can be made of id-mapped layers (Linux 5.19; overlayfs documentation, "userxattr").
 * - The running guest goes on writing the /var below. What of it the preflight then sees is undefined
 *   (overlayfs documentation, "Changes to underlying filesystems"), as it is for a copy made while it is in use.
 * - `mount` is there wherever systemd is: it mounts with it.
 */
export function preflightArgv(facts: PreflightFacts): string[] {
  const { guest, generation, timeout } = facts;
  const root = parseCleanPath(facts.root);
  const variable = parseCleanPath(facts.variable);
  const scratch = parseCleanPath(facts.scratch);
  const overlay = (lower: string, name: string): string =>
    `mount -t overlay -o lowerdir=${lower},upperdir=/run/guestree/scratch/${name},workdir=/run/guestree/scratch/${name}.work,userxattr overlay /${name}`;
  const exported = `/run/systemd/nspawn/unix-export/${preflightMachine(guest)}`;
  const masks = WAITING_FOR_NETWORK.map((unit) => `systemd.mask=${unit}`).join(' ');
  const init = 'for i in /usr/lib/systemd/systemd /lib/systemd/systemd /sbin/init; do [ -x $i ] && exec $i';
  const script = `set -e; ${overlay('/etc', 'etc')}; ${overlay('/run/guestree/var', 'var')}; ${init} ${masks}; done; exit 127`;
  return [
    ...['systemd-run', '--quiet', '--collect', `--unit=${preflightUnit(guest)}`, '--slice=machine.slice'],
    ...['--service-type=notify', `--description=Preflight of guest ${guest}, generation ${generation}`],
    ...['--property=Delegate=yes', '--property=KillMode=mixed', '--property=TasksMax=16384'],
    ...[
      '--property=SuccessExitStatus=133 1',
      `--property=TimeoutStartSec=${timeout}s`,
      '--property=TimeoutStopSec=10s',
    ],
    // systemd-nspawn that was killed leaves this mounted, and since 253 refuses to start while it is there.
    `--property=ExecStartPre=-/bin/sh -c "[ ! -e ${exported} ] || umount ${exported}"`,
    // Whatever becomes of guestree, no preflight outlives its purpose.
    `--property=RuntimeMaxSec=${timeout + 3600}s`,
    '--',
    ...['systemd-nspawn', '--quiet', '--keep-unit', '--settings=no', `--machine=${preflightMachine(guest)}`],
    ...[`--directory=${root}`, '--read-only', '--notify-ready=yes', '--kill-signal=SIGRTMIN+3'],
    ...['--private-users=pick', '--private-users-ownership=map', '--private-network'],
    ...['--timezone=off', '--link-journal=no', '--resolv-conf=off'],
    ...[`--bind=${scratch}:/run/guestree/scratch:idmap`, `--bind-ro=${variable}:/run/guestree/var:idmap`],
    // systemd expands $ in the words of a unit's command (systemd.service(5), COMMAND LINES).
    ...['--', '/bin/sh', '-c', script.replaceAll('$', '$$$$')],
  ];
}
