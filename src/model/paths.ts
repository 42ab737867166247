import { parseCleanPath, type GuestName } from './names.ts';

/** Where things are on this host. All of it can be moved for tests; users set only GUESTREE_STATE. */
export interface Paths {
  /** Everything that guestree owns; on an ostree-booted host on the mount that holds /ostree/repo. */
  state: string;
  /** The definitions. */
  definitions: string;
  /** A second, writable mount of `state`, for the binds of running guests (docs/decisions/0003). */
  alias: string;
  nspawn: string;
  units: string;
  machines: string;
  locks: string;
  /** What lives until the next boot. */
  runtime: string;
}

export function hostPaths(state: string): Paths {
  return {
    state,
    definitions: '/etc/guestree',
    alias: '/run/guestree/state',
    nspawn: '/etc/systemd/nspawn',
    units: '/etc/systemd/system',
    machines: '/var/lib/machines',
    locks: '/run/guestree/lock',
    runtime: '/run/guestree',
  };
}

/**
 * The state directory's place: GUESTREE_STATE, or by the kind of host (docs/architecture.md). It is rendered into
 * units and nspawn files, so a path that they cannot hold is refused before anything is made.
 */
export function stateDirectory(override: string | undefined, ostreeBooted: boolean): string {
  if (override !== undefined && override !== '') return parseCleanPath(override.replace(/(?<=.)\/$/, ''));
  return ostreeBooted ? '/sysroot/ostree/guestree' : '/var/lib/guestree';
}

/** What the guard keeps of the host while a window is open. */
export function guardPath(paths: Paths): string {
  return `${paths.state}/guard`;
}

/** The repository of an ostree-booted host. */
export const HOST_REPO = '/ostree/repo';

/** Which guest has which block of addresses for its held ports: a symlink for each, NUMBER -> NAME. */
export function pairsPath(paths: Paths): string {
  return `${paths.state}/pairs`;
}

export function poolPath(paths: Paths): string {
  return `${paths.state}/pool`;
}

export interface GuestPaths {
  root: string;
  sysroot: string;
  generations: string;
  current: string;
  /** The guest's machine id, made once. */
  machineId: string;
  /** User and group ids that this guest has ever had. */
  ids: string;
  /** What happened to generations, one JSON object a line. */
  events: string;
  pins: string;
  /** Trees that failed a preflight or their health checks. */
  quarantine: string;
  /** Units that were failed in the running guest before it was stopped, one a line. */
  failedUnits: string;
  /** Package files that replace packages of the base, each under its checksum. */
  rpms: string;
  scratch: string;
  journal: string;
  lock: string;
  definition: string;
  nspawnLink: string;
  machineLink: string;
  dropInDirectory: string;
  /** What the timer of this guest has of its own. */
  timerDropInDirectory: string;
  /** What came of the last unattended upgrade. */
  lastRun: string;
}

export function guestPaths(paths: Paths, name: GuestName): GuestPaths {
  const root = `${paths.state}/guests/${name}`;
  return {
    root,
    sysroot: `${root}/sysroot`,
    generations: `${root}/generations`,
    current: `${root}/current`,
    machineId: `${root}/machine-id`,
    ids: `${root}/ids.json`,
    events: `${root}/events`,
    pins: `${root}/pins`,
    quarantine: `${root}/quarantine.json`,
    failedUnits: `${root}/failed-units`,
    rpms: `${root}/rpms`,
    scratch: `${paths.state}/scratch/${name}`,
    journal: `${paths.state}/journal/${name}`,
    lock: `${paths.locks}/${name}`,
    definition: `${paths.definitions}/${name}.guest`,
    nspawnLink: `${paths.nspawn}/${name}.nspawn`,
    machineLink: `${paths.machines}/${name}`,
    dropInDirectory: `${paths.units}/systemd-nspawn@${name}.service.d`,
    timerDropInDirectory: `${paths.units}/guestree-upgrade@${name}.timer.d`,
    lastRun: `${root}/unattended.json`,
  };
}

/** Files whose presence holds back unattended upgrades of a guest: for ever or until the next boot, of it or of all. */
export function holdPaths(paths: Paths, name: GuestName): string[] {
  return [paths.definitions, paths.runtime].flatMap((directory) => [
    `${directory}/${name}.hold`,
    `${directory}/hold`,
  ]);
}

/**
 * Locks that guests share; no guest's name begins with a dot. Those who make commits in the pool share `pool`, because a
 * commit has no ref for a while; whoever deletes what no ref reaches has it alone.
 */
export function sharedLocks(paths: Paths): Record<'base' | 'pool' | 'host' | 'cleanup' | 'window', string> {
  const of = (name: string): string => `${paths.locks}/.${name}`;
  return {
    base: of('base'),
    pool: of('pool'),
    host: of('host'),
    cleanup: of('cleanup'),
    window: of('window'),
  };
}

/** The ref that keeps a generation's tree in the pool. */
export function treeRef(name: GuestName, generation: number): string {
  return `guest/${name}/${generation}/tree`;
}

/** The ref that keeps the base that a generation was layered on. */
export function baseRef(name: GuestName, generation: number): string {
  return `guest/${name}/${generation}/base`;
}

/** The ref that keeps the base of an adopted guest whose own ref does not exist: the source that its definition names. */
export function adoptedRef(name: GuestName): string {
  return `guest/${name}/adopted`;
}

/** The unit that boots a guest: systemd's own template, systemd-nspawn@.service(8). */
export function machineUnit(name: string): string {
  return `systemd-nspawn@${name}.service`;
}
