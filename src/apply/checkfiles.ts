import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import type { GuestName } from '../model/names.ts';
import { isErrno } from '../system/files.ts';
import type { Inside } from '../system/inside.ts';
import type { Runner, RunResult } from '../system/run.ts';

/**
 * Executables that are checks, as greenboot has them: what is in `required.d` must pass, what is in `wanted.d` is
 * reported, and what is in `preflight.d` must pass before the switch. On the host they are in
 * /etc/guestree/checks/NAME and may ask the guest from outside; in the guest in /usr/lib/guestree/checks (from its
 * packages) and /etc/guestree/checks.
 */
export type CheckDirectory = 'required.d' | 'wanted.d' | 'preflight.d';

export interface CheckFile {
  name: string;
  wanted: boolean;
  where: 'host' | 'guest';
  path: string;
}

const IN_GUEST = ['/usr/lib/guestree/checks', '/etc/guestree/checks'];

export async function listChecks(
  guest: GuestName,
  directories: readonly CheckDirectory[],
  inside: Inside,
  host = '/etc/guestree/checks',
): Promise<CheckFile[]> {
  const found: CheckFile[] = [];
  for (const directory of directories) {
    const wanted = directory === 'wanted.d';
    for (const path of await executables(`${host}/${guest}/${directory}`))
      found.push({ name: `${directory}/${nameOf(path)}`, wanted, where: 'host', path });
  }
  // Looked for from inside: a link that the guest's root user made must lead nowhere but into the guest.
  const script = 'for f in "$@"; do [ -f "$f" ] && [ -x "$f" ] && printf "%s\\n" "$f"; done; true';
  const patterns = IN_GUEST.flatMap((place) => directories.map((directory) => `"${place}/${directory}"/*`));
  const { stdout } = await inside.run(['/bin/sh', '-c', `set -- ${patterns.join(' ')}; ${script}`], 30);
  for (const path of stdout.split('\n').filter((line) => line.startsWith('/'))) {
    const directory = path.split('/').at(-2) ?? '';
    found.push({
      name: `guest:${directory}/${nameOf(path)}`,
      wanted: directory === 'wanted.d',
      where: 'guest',
      path,
    });
  }
  return found;
}

export interface CheckContext {
  guest: GuestName;
  machine: string;
  phase: 'preflight' | 'health';
}

/** Runs an executable of the host; it learns from its environment what to ask. */
export function runHostCheck(
  runner: Runner,
  path: string,
  { guest, machine, phase }: CheckContext,
  timeoutSeconds: number,
): Promise<RunResult> {
  const env = { GUESTREE_GUEST: guest, GUESTREE_MACHINE: machine, GUESTREE_PHASE: phase };
  return runner.run(path, [], { allow: 'any', timeoutSeconds, env });
}

/** Executable files of a directory, by name; what package managers leave behind is not run. */
async function executables(directory: string): Promise<string[]> {
  const paths: string[] = [];
  let names: string[];
  try {
    names = (await readdir(directory)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  for (const name of names) {
    if (name.startsWith('.') || /~$|\.(?:dpkg-|rpm)[a-z]+$/.test(name)) continue;
    try {
      await access(`${directory}/${name}`, constants.X_OK);
      paths.push(`${directory}/${name}`);
    } catch (error) {
      if (!isErrno(error, 'EACCES')) throw error;
    }
  }
  return paths;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
