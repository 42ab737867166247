import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cgroup } from './cgroup.ts';
import { command, type CommandOptions, type Output } from './command.ts';
import type { Holder } from './holder.ts';

/** A bind mount of the box. */
export interface Bind {
  source: string;
  target: string;
  readOnly?: boolean;
}

export interface BoxSettings {
  name: string;
  holder: Holder;
  cgroup: Cgroup;
  /** File that receives what the box writes to its console. */
  console: string;
}

/** One boot of the lab host, from power on to power off. */
export interface Box {
  /** Pid of the box's PID 1, on this machine. */
  leader: number;
  /** Resolves when the supervisor is gone. */
  exited: Promise<void>;
  /** Runs a program in the namespaces of the box, outside of its units: fast, but no place to start containers from. */
  visit(argv: readonly string[], options?: CommandOptions): Promise<Output>;
}

/** Failed units that say nothing about the lab. None is known now; one here needs its reason beside it. */
const harmless: readonly string[] = [];

/** Starts `root` and waits until its start-up has finished. */
export async function bootBox(settings: BoxSettings, root: string, binds: readonly Bind[]): Promise<Box> {
  const { holder, cgroup, console } = settings;
  const output = await open(console, 'a');
  const [file, ...args] = cgroup.join(holder.enter(nspawn(settings.name, root, binds)));
  const child = spawn(file, args, {
    stdio: ['ignore', output.fd, output.fd],
  });
  const exited = once(child, 'exit').then(() => undefined);
  await output.close();
  const leader = await waitForLeader(settings, child);
  const box: Box = {
    leader,
    exited,
    visit: (argv, options) => command([...enter(leader), ...argv], options),
  };
  await waitUntilReady(box, console);
  await box.visit(['/usr/lib/systemd/systemd-networkd-wait-online', '--interface=uplink0', '--timeout=20']);
  return box;
}

/**
 * The supervisor's command line.
 *
 * - register=no, keep-unit: the machine's PID 1 need not be systemd, and its machined is not asked.
 * - unified hierarchy: the machine may be a hybrid one, the box needs cgroup v2 to delegate to nested machines.
 * - writable API file systems: a nested user namespace may mount its own /proc only if ours is not overmounted.
 * - norbind: a real /sysroot is one flat mount, without the mounts that nspawn makes below the deployment's own path.
 */
function nspawn(name: string, root: string, binds: readonly Bind[]): string[] {
  return [
    ...['env', 'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1', 'SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes', 'systemd-nspawn'],
    ...['--quiet', '--boot', '--console=pipe', '--register=no', '--keep-unit', '--kill-signal=SIGRTMIN+3'],
    ...[
      '--capability=all',
      '--system-call-filter=@known',
      '--resolv-conf=off',
      '--timezone=off',
      '--link-journal=no',
    ],
    ...[`--machine=${name}`, `--directory=${root}`],
    ...binds.map(({ source, target, readOnly }) => {
      const words = [source, target, 'norbind'].map((word) => word.replaceAll(/[\\:]/g, '\\$&'));
      return `--bind${readOnly === true ? '-ro' : ''}=${words.join(':')}`;
    }),
  ];
}

/** argv that joins the namespaces of a box. */
export function enter(leader: number): string[] {
  return [
    'nsenter',
    `--target=${leader}`,
    '--mount',
    '--uts',
    '--ipc',
    '--net',
    '--pid',
    '--root',
    '--wd',
    '--',
  ];
}

/** PID 1 moves itself to init.scope of the delegated subtree; its last NSpid is 1. */
async function waitForLeader({ cgroup, console }: BoxSettings, child: ChildProcess): Promise<number> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    await sleep(20);
    if (child.exitCode !== null) break;
    for (const pid of await cgroup.processes('payload/init.scope')) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      if (/^NSpid:.*\t1$/m.test(status)) return pid;
    }
  }
  throw new Error(`the box did not start:\n${await readFile(console, 'utf8')}`);
}

async function waitUntilReady(box: Box, console: string): Promise<void> {
  let state = 'not asked yet';
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    await sleep(50);
    const answer = await box.visit(['systemctl', 'is-system-running'], { check: false, timeout: 10_000 });
    state = answer.stdout.trim();
    if (state === 'running') return;
    if (state !== 'degraded') continue;
    const { stdout } = await box.visit(['systemctl', '--failed', '--plain', '--no-legend']);
    const failed = stdout
      .split('\n')
      .flatMap((line) => line.split(/\s+/)[0] ?? [])
      .filter(Boolean);
    const unknown = failed.filter((unit) => !harmless.includes(unit));
    if (unknown.length === 0) return;
    const status = await box.visit(['systemctl', 'status', '--no-pager', '--full', ...unknown], {
      check: false,
    });
    throw new Error(`units failed in the box: ${unknown.join(', ')}\n${status.stdout}`);
  }
  throw new Error(`the box is not ready (${state}):\n${await readFile(console, 'utf8')}`);
}
