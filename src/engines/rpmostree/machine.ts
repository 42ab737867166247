import { mkdir, open, writeFile, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT_UNCHANGED, Failure } from '../../model/failure.ts';
import { exists } from '../../system/files.ts';
import { pasteable, type Runner } from '../../system/run.ts';
import { machineName } from '../../tree/scratch.ts';
import { replaceWithin } from '../../tree/within.ts';

/** A machine that is booted from a deployment, as an ostree host of its own, to run one program and power off. */
export interface MachineRequest {
  /** The sysroot that it has at /sysroot, and everything of it that is mounted elsewhere. */
  sysroot: string;
  /** Another mount of the sysroot. */
  alias: string;
  stateroot: string;
  /** Name of the deployment's directory, `CSUM.SERIAL`. */
  deployment: string;
  scratch: string;
  hostname: string;
  proxies: Readonly<Record<string, string>>;
  /** Files that are shown to it, at paths of its own. */
  files: readonly { from: string; to: string }[];
  progress: (line: string) => void;
}

/** A command line. */
export type Argv = readonly [program: string, ...args: string[]];

export interface MachineResult {
  /** Of each program that was run. */
  exitCodes: number[];
  stdout: string;
  stderr: string;
}

/** How long the program may take, in minutes; the machine gets two more to start and to power off. */
const LIMIT = 30;

const UNIT = 'guestree-layer.service';
const INSIDE = '/run/guestree';

/**
 * Boots the deployment, waits until the commands have run in it, one after another, and the machine has powered off, which
 * finalises what they staged. A command that fails is the last one; exit code 77 ("unchanged") is none. The host sees none
 * of its /run: the file that says "booted from OSTree" and what is staged are the machine's own.
 *
 * Root in it is nobody outside (a user namespace over id-mapped mounts, as with guests), so what the tree's programs and
 * package scripts can reach is this sysroot. It dies with this process, as build containers do (container.ts).
 */
export async function runMachine(
  runner: Runner,
  request: MachineRequest,
  commands: readonly Argv[],
): Promise<MachineResult> {
  await writeInputs(request, commands);
  const output = new Output(request.scratch, request.progress);
  await output.open();
  try {
    const { stdout, stderr } = await runner.run(
      'setpriv',
      [
        '--pdeathsig=KILL',
        // We may have died before the line above had its effect: then nothing would end the machine.
        ...['sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)],
        // A control group of its own: what a machine leaves in ours belongs to its users, and the next one has others.
        ...['systemd-run', '--scope', '--quiet', '--collect', '--property=Delegate=yes', '--'],
        ...['unshare', '--pid', '--kill-child=KILL', '--mount-proc'],
        ...nspawnArguments(request, await exists('/dev/fuse')),
      ],
      {
        allow: 'any',
        // As the first process of a pid namespace it would take itself for a host's PID 1, and log to the journal only.
        env: { SYSTEMD_LOG_TARGET: 'console' },
        timeoutSeconds: (LIMIT + 2) * 60,
      },
    );
    return await output.finish(`${stdout}${stderr}`);
  } finally {
    await output.close();
  }
}

/** The files that the machine is given, in the scratch directory. */
async function writeInputs(request: MachineRequest, commands: readonly Argv[]): Promise<void> {
  const { scratch, sysroot, stateroot, deployment, proxies } = request;
  await mkdir(`${scratch}/out`);
  for (const name of ['stdout', 'stderr', 'code']) await writeFile(`${scratch}/out/${name}`, '');
  await writeFile(`${scratch}/booted`, '');
  // In its /etc and not below /run: what systemd 252 makes there to mount on belongs to nobody in the machine.
  const root = `${sysroot}/ostree/deploy/${stateroot}/deploy/${deployment}`;
  await replaceWithin(root, `etc/systemd/system/${UNIT}`, renderUnit());
  await replaceWithin(root, 'etc/systemd/system.conf.d/50-guestree.conf', renderManager(proxies));
  await writeFile(
    `${scratch}/work`,
    [
      '#!/bin/sh',
      ...commands.flatMap(([program, ...args]) => [
        `${pasteable(program, args)} >>${INSIDE}/out/stdout 2>>${INSIDE}/out/stderr`,
        `code=$?; echo "$code" >>${INSIDE}/out/code`,
        `[ "$code" = 0 ] || [ "$code" = ${EXIT_UNCHANGED} ] || exit 0`,
      ]),
      '',
    ].join('\n'),
  );
}

function renderManager(proxies: Readonly<Record<string, string>>): string {
  // The daemon of rpm-ostree is a service of its own: only the manager's environment reaches it.
  const words = Object.entries(proxies).map(
    ([name, value]) => `"${name}=${value.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`,
  );
  return `[Manager]\nDefaultEnvironment=${words.join(' ')}\n`;
}

/**
 * What the machine is booted for, in the place of its default target: none of the services and sockets that the tree
 * enables is started, on the host's network. sysinit.target has what is needed (tmpfiles, sysusers, the journal).
 */
function renderUnit(): string {
  return [
    '[Unit]',
    'Description=Layer packages for guestree',
    'DefaultDependencies=no',
    'AllowIsolate=yes',
    'Requires=sysinit.target',
    'Wants=dbus.socket',
    'After=sysinit.target dbus.socket',
    'Conflicts=shutdown.target',
    'Before=shutdown.target',
    // In an orderly way: ostree finalises what is staged when its unit is stopped.
    'SuccessAction=poweroff',
    'FailureAction=poweroff',
    '',
    '[Service]',
    'Type=oneshot',
    'Environment=LC_ALL=C.UTF-8 HOME=/root',
    `ExecStart=/bin/sh ${INSIDE}/work`,
    `TimeoutStartSec=${LIMIT}min`,
    '',
  ].join('\n');
}

/**
 * systemd-nspawn(1). The mounts are those that ostree-prepare-root makes on a real host. The root is reached through
 * another mount of the sysroot than what is mounted into it, because nspawn maps ids over the root's own path first, and
 * what lies below that cannot be mapped again.
 */
function nspawnArguments(request: MachineRequest, fuse: boolean): string[] {
  const { sysroot, alias, stateroot, deployment, scratch } = request;
  const below = `ostree/deploy/${stateroot}`;
  const mapped = (from: string, to: string): string => `--bind=${escape(from)}:${escape(to)}:norbind,idmap`;
  const shown = (from: string, to: string): string => `--bind-ro=${escape(from)}:${escape(to)}`;
  return [
    'systemd-nspawn',
    // Without a console of its own (pipe) its PID 1 has nowhere to say why it ends.
    ...['--quiet', '--boot', '--console=read-only', '--register=no', '--keep-unit', '--settings=no'],
    ...['--link-journal=no', '--timezone=off', '--resolv-conf=off', '--kill-signal=SIGRTMIN+3'],
    ...['--private-users=pick', '--private-users-ownership=map', '--rlimit=NOFILE=1024:524288'],
    `--directory=${alias}/${below}/deploy/${deployment}`,
    `--machine=${machineName(scratch)}`,
    `--hostname=${request.hostname}`,
    mapped(sysroot, '/sysroot'),
    mapped(`${sysroot}/boot`, '/boot'),
    mapped(`${sysroot}/${below}/var`, '/var'),
    `--bind-ro=${escape(`${sysroot}/${below}/deploy/${deployment}/usr`)}:/usr:norbind,idmap`,
    mapped(`${scratch}/out`, `${INSIDE}/out`),
    shown(`${scratch}/booted`, '/run/ostree-booted'),
    shown(`${scratch}/work`, `${INSIDE}/work`),
    ...request.files.map(({ from, to }) => shown(from, to)),
    // For the read-only view of files that older versions give to package scripts.
    ...(fuse ? ['--bind=/dev/fuse'] : []),
    // For its PID 1.
    ...['--', `--unit=${UNIT}`],
  ];
}

/** systemd-nspawn(1), --bind=: a colon in a path is escaped by a backslash. */
function escape(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}

/** What the program inside writes, read through files that were opened before the machine could touch them. */
class Output {
  readonly #directory: string;
  readonly #progress: (line: string) => void;
  #files: { stdout: FileHandle; stderr: FileHandle; code: FileHandle } | undefined;
  #following: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(scratch: string, progress: (line: string) => void) {
    this.#directory = `${scratch}/out`;
    this.#progress = progress;
  }

  async open(): Promise<void> {
    const [stdout, stderr, code] = await Promise.all(
      ['stdout', 'stderr', 'code'].map((name) => open(`${this.#directory}/${name}`, 'r')),
    );
    if (stdout === undefined || stderr === undefined || code === undefined) return;
    this.#files = { stdout, stderr, code };
    this.#following = this.#follow(stdout);
  }

  /** @param console what the machine wrote to its console, for the failure that it did not get as far as our program */
  async finish(console: string): Promise<MachineResult> {
    this.#ended = true;
    await this.#following;
    if (this.#files === undefined) throw new Failure('failed', 'the output of the build cannot be read');
    const [stdout, stderr, code] = await Promise.all([
      contentOf(this.#files.stdout),
      contentOf(this.#files.stderr),
      contentOf(this.#files.code),
    ]);
    if (/^(?:\d{1,3}\n)+$/.test(code))
      return { exitCodes: code.trim().split('\n').map(Number), stdout, stderr };
    throw new Failure(
      'failed',
      `the machine that runs the tree's rpm-ostree ended too early: ${lastLines(`${console}\n${stderr}`)}`,
      {
        hint: 'Run the same command again with --verbose. Engine=dnf in the guest’s definition needs no such machine.',
      },
    );
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#following;
    const { stdout, stderr, code } = this.#files ?? {};
    await Promise.all([stdout?.close(), stderr?.close(), code?.close()]);
  }

  /** A file on a disk tells nobody that it grew. */
  async #follow(file: FileHandle): Promise<void> {
    let [position, rest] = [0, ''];
    for (let last = false; !last;) {
      last = this.#ended;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536), 0, 65_536, position);
      position += bytesRead;
      const lines = `${rest}${buffer.toString('utf8', 0, bytesRead)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#progress(line);
      if (!last) await sleep(100);
    }
  }
}

/** At most a megabyte: more is no message. */
async function contentOf(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1_000_000), 0, 1_000_000, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

function lastLines(text: string): string {
  const plain = text.replace(/\p{Cc}\[[0-9;?]*[A-Za-z]|\r/gu, '');
  return plain.trimEnd().split('\n').slice(-8).join('\n');
}
