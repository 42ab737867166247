import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The control group of one boot of a box, at the top of the machine's unified hierarchy, so that one write kills all of the
 * box (`cgroup.kill`, Linux 5.14) and nothing of it counts as a part of whoever runs the tests.
 */
export interface Cgroup {
  /** argv that joins the group and becomes the given program. */
  join(argv: readonly string[]): [string, ...string[]];
  /** Processes of a group below, as pids of this machine. */
  processes(below: string): Promise<number[]>;
  /** SIGKILL to everything in it; resolves when it is empty. */
  kill(): Promise<void>;
}

export async function makeCgroup(name: string): Promise<Cgroup> {
  const [unified] = hierarchies();
  const group = path.join(unified, name);
  await mkdir(group);
  return {
    join: (argv) => ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', group, ...argv],
    processes: async (below) => {
      const text = await readFile(path.join(group, below, 'cgroup.procs'), 'utf8').catch(() => '');
      return text.split('\n').filter(Boolean).map(Number);
    },
    kill: async () => {
      await writeFile(path.join(group, 'cgroup.kill'), '1');
      while (/^populated 1$/m.test(await readFile(path.join(group, 'cgroup.events'), 'utf8')))
        await sleep(10);
    },
  };
}

/** Removes a group with those below it, and the ones that nspawn made in v1's `systemd` hierarchy, as they get empty. */
export async function removeCgroup(name: string): Promise<void> {
  for (let tries = 0; !removeGroups(name); tries++) {
    if (tries > 500) throw new Error(`processes are left in control group ${name}`);
    await sleep(10);
  }
}

/** The same where nothing can be awaited: in an exit handler, after a SIGKILL to everything in the group. */
export function removeCgroupNow(name: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 200 && !removeGroups(name); tries++) Atomics.wait(cell, 0, 0, 10);
}

/** The mount point of cgroup v2 and, on a hybrid machine, of the v1 hierarchy that systemd-nspawn also uses. */
function hierarchies(): [string, ...string[]] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const points = (type: string, option: RegExp): string[] =>
    lines.flatMap((line) => {
      const [before, after] = line.split(' - ');
      const point = before?.split(' ')[4];
      if (point?.startsWith('/sys/fs/cgroup') !== true || after === undefined) return [];
      return after.startsWith(`${type} `) && option.test(after) ? [point] : [];
    });
  const [unified] = points('cgroup2', /./);
  if (unified === undefined) throw new Error('this machine has no cgroup v2 hierarchy below /sys/fs/cgroup');
  return [unified, ...points('cgroup', /\bname=systemd\b/)];
}

function removeGroups(name: string): boolean {
  return hierarchies()
    .map((root) => removeDown(path.join(root, name)))
    .every(Boolean);
}

/** False if the kernel still counts a process in it (it lets go of a group shortly after the last one has died). */
function removeDown(group: string): boolean {
  if (!existsSync(group)) return true;
  try {
    const entries = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (!entries.map((entry) => removeDown(path.join(group, entry.name))).every(Boolean)) return false;
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
