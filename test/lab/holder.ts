import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from './command.ts';

/**
 * The namespaces (mount, network, pid) in which one lab lives from its start to its end, over all reboots.
 *
 * A sleeping process holds them. Everything of the lab is below it, so its end is the end of every process, mount, loop
 * device and link of the lab; it gets SIGKILL when our process dies, however that happens (PR_SET_PDEATHSIG).
 */
export interface Holder {
  /** Pid of the sleeping process, on this machine. */
  pid: number;
  /** argv that runs a program in the mount, network and pid namespaces. */
  enter(argv: readonly string[]): string[];
  stop(): Promise<void>;
  stopNow(): void;
}

/** @param lock file that stays locked (flock) as long as the lab lives */
export async function startHolder(lock: string, loopbackNeeded: boolean): Promise<Holder> {
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'flock', '--no-fork', '--nonblock', lock],
      ...[
        'unshare',
        '--mount',
        '--net',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        '--propagation',
        'private',
      ],
      // nspawn keeps its locks below /run and must not leave them on the machine when it is killed.
      ...['sh', '-c', 'mount -t tmpfs -o mode=755 tmpfs /run && echo ok && exec sleep infinity', lock],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const exited = once(child, 'exit');
  const answer = await Promise.race([once(child.stdout, 'data').then(() => true), exited.then(() => false)]);
  if (!answer || child.pid === undefined) throw new Error(`cannot make namespaces for the lab: ${complaint}`);
  child.unref();
  child.stdout.destroy();
  child.stderr.destroy(); // unshare complains when it is killed
  const pid = await firstChild(child.pid);
  const uplink = startUplink(pid, loopbackNeeded);
  return {
    pid,
    enter: (argv) => ['nsenter', `--target=${pid}`, '--mount', '--net', '--pid', '--', ...argv],
    stop: async () => {
      child.ref();
      uplink.ref();
      kill(pid);
      await Promise.all([exited, finished(uplink)]);
    },
    stopNow: () => kill(pid),
  };
}

/**
 * The box's way to the package mirror: slirp4netns, a TCP/IP stack in user space that opens ordinary sockets for what it
 * reads from a tap device in the box's network namespace. Nothing is added to the machine: no link, address, route or rule.
 */
function startUplink(pid: number, loopbackNeeded: boolean): ChildProcess {
  const isolation = loopbackNeeded ? [] : ['--disable-host-loopback'];
  const child = spawn(
    'nsenter',
    [
      ...[`--target=${pid}`, '--pid', '--', 'slirp4netns', '--configure', '--mtu=1500', ...isolation],
      ...['--netns-type=path', `/proc/${pid}/ns/net`, 'uplink0'],
    ],
    { stdio: 'ignore' },
  );
  child.unref();
  return child;
}

async function finished(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function firstChild(parent: number): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const text = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8');
    const first = Number(text.split(' ')[0]);
    if (first > 0) return first;
    await sleep(10);
  }
  throw new Error(`process ${parent} has no child`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** Mounts a fresh ext4 in the holder's namespace, on a loop device that vanishes with the mount. */
export async function mountFresh(
  holder: Holder,
  image: string,
  point: string,
  mebibytes: number,
): Promise<void> {
  await command(['truncate', '--size', `${mebibytes}M`, image]);
  await command(['mkfs.ext4', '-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard', image]);
  await command(['mkdir', '-p', point]);
  await command(holder.enter(['mount', '-o', 'loop', image, point]));
}
