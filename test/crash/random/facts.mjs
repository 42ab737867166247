// Prints as one JSON object what guestree has on this host and what could be left of it: node facts.mjs STATE
// Runs in the lab, once a round: everything is read from files, and systemd is asked three questions.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const [state] = process.argv.slice(2);

const list = (directory) => {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
};
const text = (file) => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
};
const target = (file) => {
  try {
    return readlinkSync(file);
  } catch {
    return null;
  }
};
const ask = (program, ...args) => {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    return String(error.stdout ?? '');
  }
};
const lines = (output) => output.split('\n').filter((line) => line.trim() !== '');

/** What tells one tree of the test from another. */
const version = (root) =>
  `${text(join(root, 'usr/share/marker/version')) ?? 'none'}/${text(join(root, 'usr/share/base/version')) ?? 'none'}`;

function generation(directory) {
  const record = text(join(directory, 'generation.json'));
  let parsed = null;
  try {
    parsed = record === null ? null : JSON.parse(record);
  } catch {
    // Stays null: the judge calls it a damaged record.
  }
  return {
    whole: parsed !== null,
    tree: parsed?.tree ?? null,
    base: parsed?.base ?? null,
    deployment: parsed?.deployment ?? null,
    requested: parsed?.requested ?? [],
    root: target(join(directory, 'root')),
    version: version(join(directory, 'root')),
    stamp: text(join(directory, 'root/etc/crash-stamp')),
  };
}

const enabled = new Set(list('/etc/systemd/system/machines.target.wants'));
const machines = lines(ask('machinectl', 'list', '--no-legend', '--no-pager')).map(
  (line) => line.trim().split(/\s+/)[0],
);

function running(name) {
  if (!machines.includes(name)) return null;
  const shown = ask(
    'machinectl',
    'show',
    '--property=Leader',
    '--property=RootDirectory',
    '--property=State',
    name,
  );
  const fields = Object.fromEntries(lines(shown).map((line) => line.split('=', 2)));
  const root = `/proc/${fields.Leader}/root`;
  return {
    state: fields.State,
    root: fields.RootDirectory,
    version: version(root),
    machineId: text(join(root, 'etc/machine-id')),
    token: text(join(root, 'var/lib/crash/token')),
  };
}

/** The generations that were current at some time, by the guest's event log. */
function activated(file) {
  const numbers = lines(text(file) ?? '').flatMap((line) => {
    try {
      return [JSON.parse(line).generation];
    } catch {
      return [];
    }
  });
  return [...new Set(numbers)];
}

function guest(name) {
  const root = join(state, 'guests', name);
  const stateroot = join(root, 'sysroot/ostree/deploy', name);
  const generations = list(join(root, 'generations')).map((each) => [
    each,
    generation(join(root, 'generations', each)),
  ]);
  return {
    current: target(join(root, 'current')),
    generations: Object.fromEntries(generations),
    pins: list(join(root, 'pins')),
    deployments: list(join(stateroot, 'deploy')),
    entries: list(join(root, 'sysroot/boot/loader/entries')),
    machineId: text(join(root, 'machine-id')),
    etcMachineId: text(join(root, 'current/root/etc/machine-id')),
    token: text(join(stateroot, 'var/lib/crash/token')),
    activated: activated(join(root, 'events')),
    enabled: enabled.has(`systemd-nspawn@${name}.service`),
    running: running(name),
  };
}

/** Paths below a directory, without those of trees, objects and data of guests. */
function* walk(directory, depth = 0) {
  for (const name of list(directory)) {
    const path = join(directory, name);
    yield path;
    const deeper = lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!deeper || name === 'objects' || /\/deploy\/[^/]+\/(?:deploy\/[^/]+|var)$/.test(path)) continue;
    if (depth === 0 && ['cache', 'kept', 'scratch', 'journal'].includes(name)) continue;
    yield* walk(path, depth + 1);
  }
}

const below = [...walk(state)];
const temporary = below.filter((path) => {
  const relative = path.slice(state.length + 1);
  if (/(?:^|\/)\.[^/]+\.new$|(?:^|\/)merged-at$|\/sysroot\/origin$|\.tmp$/.test(relative)) return true;
  // What ostree writes before it has its final name.
  return /(?:^pool|\/repo)\/tmp\/(?!cache$)[^/]+$/.test(relative);
});
for (const directory of ['/etc/guestree', '/etc/systemd/nspawn', '/etc/systemd/system', '/var/lib/machines'])
  temporary.push(
    ...list(directory)
      .filter((name) => name.startsWith('.') && name !== '.updated')
      .map((name) => join(directory, name)),
  );

const refs = join(state, 'pool/refs/heads');
const isDirectory = (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const links = [
  ...list('/etc/guestree').map((name) => `/etc/guestree/${name}`),
  ...list('/etc/systemd/nspawn').map((name) => `/etc/systemd/nspawn/${name}`),
  ...list('/var/lib/machines').map((name) => `/var/lib/machines/${name}`),
  ...['/etc/systemd/system', '/run/systemd/system', '/etc/systemd/system/machines.target.wants'].flatMap(
    (directory) =>
      list(directory).flatMap((name) => (name.startsWith('systemd-nspawn@') ? [`${directory}/${name}`] : [])),
  ),
];

const cuts = list('/sys/fs/cgroup/system.slice').filter((name) => name.startsWith('crash-cut-'));
const processes = cuts.flatMap((name) =>
  lines(text(`/sys/fs/cgroup/system.slice/${name}/cgroup.procs`) ?? '').map((pid) =>
    (text(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim(),
  ),
);

const own = text('/proc/self/cgroup')?.split('/').at(-1);
const units = lines(ask('systemctl', 'list-units', '--all', '--plain', '--no-legend', '--no-pager'))
  .map((line) => line.trim().split(/\s+/))
  .map(([name, load, active, sub]) => ({ name, load, active, sub }))
  .filter(
    ({ name, active }) =>
      name !== own && (active === 'failed' || /^(?:run-|guestree|systemd-nspawn@|machine-)/.test(name)),
  )
  // A cut makes the unit fail that it was made in.
  .filter(({ name }) => !/^run-.*\.mount$|^crash-cut-/.test(name));

process.stdout.write(
  JSON.stringify({
    bootId: text('/proc/sys/kernel/random/boot_id'),
    guests: Object.fromEntries(list(join(state, 'guests')).map((name) => [name, guest(name)])),
    machines,
    mounts: lines(text('/proc/mounts') ?? '')
      .map((line) => line.split(' ')[1])
      .filter(
        (point) =>
          point.startsWith(`${state}/`) ||
          point.startsWith('/run/guestree') ||
          point.startsWith('/run/systemd/nspawn'),
      ),
    scratch: list(join(state, 'scratch')),
    journal: list(join(state, 'journal')),
    kept: list(join(state, 'kept')),
    temporary,
    refs: [...walk(refs, 1)].filter((path) => !isDirectory(path)).map((path) => path.slice(refs.length + 1)),
    emptyRefs: existsSync(join(refs, 'guest'))
      ? [...walk(join(refs, 'guest'), 1)].filter((path) => isDirectory(path) && list(path).length === 0)
      : [],
    links,
    processes,
    units,
    interfaces: list('/sys/class/net').filter((name) => /^v[eb]-/.test(name)),
    nspawn: ['unix-export', 'propagate'].flatMap((name) => list(`/run/systemd/nspawn/${name}`)),
  }),
);
