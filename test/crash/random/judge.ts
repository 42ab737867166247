import { currentOf, generationOf, numbersOf, type Facts, type GuestFacts } from './facts.ts';
import { STATE } from './facts.ts';
import type { Operation } from './operations.ts';

/** What is wrong with the host by itself: guests that are not whole, and anything that no guest accounts for. */
export function findUnsound(facts: Facts, state = STATE): string[] {
  const names = Object.keys(facts.guests);
  return [
    ...names.flatMap((name) =>
      unsoundGuest(name, facts.guests[name], state).map((text) => `${name}: ${text}`),
    ),
    ...left('mount', facts.mounts, [
      '/run/guestree/state',
      ...facts.machines.map((name) => `/run/systemd/nspawn/unix-export/${name}`),
    ]),
    ...(facts.mounts.includes('/run/guestree/state') || names.length === 0
      ? []
      : ['the state directory is not mounted at /run/guestree/state']),
    ...left('machine', facts.machines, names),
    ...left('socket directory', facts.nspawn, names),
    ...left(
      'interface',
      facts.interfaces,
      names.map((name) => `ve-${name}`),
    ),
    ...left('scratch directory', facts.scratch, []),
    ...left('journal', facts.journal, []),
    ...left('temporary file', facts.temporary, []),
    ...left('process', facts.processes, []),
    ...left(
      'ref',
      facts.refs.filter((ref) => ref.startsWith('guest/')),
      names.flatMap((name) => refsOf(name, facts.guests[name])),
    ),
    ...left('empty directory', facts.emptyRefs, []),
    ...left(
      'link',
      facts.links,
      names.flatMap((name) => linksOf(name, facts.guests[name])),
    ),
    ...missing(
      'ref',
      facts.refs,
      names.flatMap((name) => refsOf(name, facts.guests[name])),
    ),
    ...missing(
      'link',
      facts.links,
      names.flatMap((name) => linksOf(name, facts.guests[name])),
    ),
    ...facts.units.flatMap(({ name, active, sub }) =>
      active === 'failed' || name.startsWith('run-') || (name.startsWith('machine-') && active !== 'inactive')
        ? [`left unit: ${name} (${active}, ${sub})`]
        : [],
    ),
  ];
}

function unsoundGuest(name: string, guest: GuestFacts | undefined, state: string): string[] {
  if (guest === undefined) return [];
  const numbers = numbersOf(guest);
  const current = currentOf(guest);
  const records = numbers.map((number) => generationOf(guest, number));
  // Beside the root of a machine that runs systemd-nspawn keeps a lock, `.#ROOT.lck` (image_path_lock() in discover-image.c).
  const deployments = new Set(
    guest.deployments.map((each) => each.replace(/^\.#(.*)\.lck$/, '$1').replace(/\.origin$/, '')),
  );
  const { running } = guest;
  const runs =
    running === null
      ? undefined
      : records.find((each) => running.root.endsWith(`/${each?.deployment ?? ''}`));
  return [
    ...(numbers.includes(current) ? [] : [`its current generation ${current} is not there`]),
    ...numbers.flatMap((number, index) =>
      records[index]?.whole === true ? [] : [`generation ${number} has no readable record`],
    ),
    ...numbers.flatMap((number, index) => {
      const record = records[index];
      const place = `${state}/guests/${name}/sysroot/ostree/deploy/${name}/deploy/${record?.deployment ?? ''}`;
      return record?.root === place ? [] : [`generation ${number} points at ${String(record?.root)}`];
    }),
    ...left(
      'deployment',
      [...deployments],
      records.map((each) => each?.deployment ?? ''),
    ),
    ...missing(
      'deployment',
      [...deployments],
      records.map((each) => each?.deployment ?? ''),
    ),
    ...(guest.entries.length === numbers.length
      ? []
      : [`${guest.entries.length} boot entries for ${numbers.length} generations`]),
    ...(/^[0-9a-f]{32}$/.test(guest.machineId ?? '') ? [] : [`its machine id is ${String(guest.machineId)}`]),
    ...(guest.etcMachineId === guest.machineId ? [] : [`/etc/machine-id is ${String(guest.etcMachineId)}`]),
    ...(running === null
      ? []
      : [
          ...(running.state === 'running' ? [] : [`its machine is ${running.state}`]),
          ...(runs === undefined ? [`it runs from ${running.root}, which is no generation`] : []),
          ...(runs === undefined || runs.version === running.version
            ? []
            : [`it runs ${running.version}, not ${runs.version}`]),
          ...(running.machineId === guest.machineId
            ? []
            : [`it runs with the machine id ${String(running.machineId)}`]),
          ...(running.token === guest.token ? [] : ['it sees another /var']),
        ]),
  ];
}

function refsOf(name: string, guest: GuestFacts | undefined): string[] {
  return guest === undefined
    ? []
    : numbersOf(guest).flatMap((number) => [`guest/${name}/${number}/base`, `guest/${name}/${number}/tree`]);
}

function linksOf(name: string, guest: GuestFacts | undefined): string[] {
  const unit = `systemd-nspawn@${name}.service`;
  return [
    `/etc/guestree/${name}.guest`,
    `/etc/systemd/nspawn/${name}.nspawn`,
    `/var/lib/machines/${name}`,
    `/etc/systemd/system/${unit}.d`,
    `/run/systemd/system/${unit}.d`,
    ...(guest?.enabled === true ? [`/etc/systemd/system/machines.target.wants/${unit}`] : []),
  ];
}

function left(what: string, found: readonly string[], known: readonly string[]): string[] {
  return found.filter((each) => !known.includes(each)).map((each) => `left ${what}: ${each}`);
}

function missing(what: string, found: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((each) => !found.includes(each)).map((each) => `missing ${what}: ${each}`);
}

/** What an operation did that it may not do, whether it was cut off, undone, finished, or went through. */
export function findForbidden(
  operation: Operation,
  before: Facts,
  after: Facts,
  rebooted: boolean,
): string[] {
  const names = new Set([...Object.keys(before.guests), ...Object.keys(after.guests)]);
  return [...names].flatMap((name) => {
    const mine = operation.guest === undefined || operation.guest === name;
    return forbiddenIn(operation, mine, before.guests[name], after.guests[name], rebooted).map(
      (text) => `${name}: ${text}`,
    );
  });
}

function forbiddenIn(
  operation: Operation,
  mine: boolean,
  before: GuestFacts | undefined,
  after: GuestFacts | undefined,
  rebooted: boolean,
): string[] {
  if (before === undefined) return mine && operation.name === 'create' ? [] : ['it came out of nothing'];
  if (after === undefined) return mine && operation.name === 'remove' ? [] : ['it is gone'];
  const [was, is] = [currentOf(before), currentOf(after)];
  const targets = mine ? operation.targets : [];
  const fresh = !numbersOf(before).includes(is);
  const allowed = is === was || targets.some((each) => each === is || (each === 'new' && fresh));
  const change = mine && ['install', 'uninstall', 'upgrade'].includes(operation.name);
  const shouldRun = rebooted ? before.enabled : before.running !== null && !(mine && operation.mayStop);
  return [
    ...(allowed ? [] : [`its current generation is ${is}, and was ${was}`]),
    ...(after.machineId === before.machineId ? [] : ['its machine id is another one']),
    ...(after.token === before.token
      ? []
      : [`its data is ${String(after.token)}, not ${String(before.token)}`]),
    ...(after.enabled === before.enabled ? [] : ['its enablement changed']),
    ...(shouldRun && after.running === null ? ['it does not run any more'] : []),
    ...numbersOf(before).flatMap((number) => {
      const [old, now] = [generationOf(before, number), generationOf(after, number)];
      if (now === undefined)
        return mine && operation.name === 'cleanup' && number !== was && !before.pins.includes(String(number))
          ? []
          : [`generation ${number} is gone`];
      return old?.tree === now.tree && old.version === now.version
        ? []
        : [`generation ${number} has another tree`];
    }),
    ...numbersOf(after)
      .filter((number) => !numbersOf(before).includes(number))
      .flatMap((number) => (change ? [] : [`generation ${number} came out of nothing`])),
  ];
}

/** What is wrong with the guests' /etc: `stamp` was written into that of the current generation before the operation. */
export function findLostEtc(operation: Operation, before: Facts, after: Facts, stamp: string): string[] {
  const { guest: name } = operation;
  const [was, is] = [before.guests[name ?? ''], after.guests[name ?? '']];
  if (was === undefined || is === undefined) return [];
  return numbersOf(is).flatMap((number) => {
    const found = generationOf(is, number)?.stamp ?? null;
    const old = generationOf(was, number);
    // A generation that was used before keeps the /etc that it had; one that was not gets what was changed since.
    const right = number === currentOf(was) || old === undefined ? [stamp] : [old.stamp, stamp];
    return right.includes(found)
      ? []
      : [`${String(name)}: /etc of generation ${number} has ${String(found)}, not ${right.join(' or ')}`];
  });
}
