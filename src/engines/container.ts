import type { Runner, RunResult } from '../system/run.ts';
import { machineName } from '../tree/scratch.ts';

export interface ContainerRequest {
  /** The root directory, or 'host': the host's programs on an otherwise empty root. */
  root: string;
  /** The scratch directory that it lies in; the machine's name is derived from it. */
  scratch: string;
  hostname: string;
  /** Whether the host's network is visible; package scripts never see it. */
  network: boolean;
  /** Host path and place inside; `rw` for what the command has to write. */
  binds: readonly { from: string; to: string; rw?: boolean }[];
  environment: Readonly<Record<string, string>>;
  progress: (line: string) => void;
}

/**
 * Capabilities of systemd-nspawn's default set that package managers work without. With them, a package script could
 * mount, make device nodes of the host's disks, open files by handle outside of its root, or set files immutable.
 */
const DROPPED = [
  'CAP_SYS_ADMIN',
  'CAP_MKNOD',
  'CAP_DAC_READ_SEARCH',
  'CAP_SYS_PTRACE',
  'CAP_SYS_BOOT',
  'CAP_SYS_TTY_CONFIG',
  'CAP_LINUX_IMMUTABLE',
  'CAP_AUDIT_CONTROL',
  'CAP_NET_RAW',
  'CAP_NET_BROADCAST',
];

/**
 * Runs one program of a tree in systemd-nspawn(1), without booting. No user namespace: owners in the tree are those
 * that the program sets.
 *
 * The container dies with this process, also if that is killed by SIGKILL: a killed systemd-nspawn would leave its
 * payload running, so it runs in a pid namespace of its own, which the kernel kills as a whole with unshare(1)'s
 * child, which setpriv(1) ties to us.
 */
export async function runInContainer(
  runner: Runner,
  request: ContainerRequest,
  argv: readonly string[],
): Promise<RunResult> {
  const binds = request.binds.map(
    ({ from, to, rw }) => `--bind${rw === true ? '' : '-ro'}=${escape(from)}:${escape(to)}`,
  );
  return runner.run(
    'setpriv',
    [
      '--pdeathsig=KILL',
      ...['unshare', '--pid', '--kill-child=KILL', '--mount-proc'],
      'systemd-nspawn',
      ...['--quiet', '--pipe', '--register=no', '--keep-unit', '--settings=no', '--as-pid2'],
      ...['--link-journal=no', '--timezone=off', '--resolv-conf=off'],
      // systemd's own default for services. nspawn would take the host's PID 1's, which may be a billion, and programs
      // that close every possible descriptor (postfix's do) would take seconds for it.
      '--rlimit=NOFILE=1024:524288',
      // The host's /usr, read-only, and nothing else of it: --volatile= in systemd-nspawn(1).
      ...(request.root === 'host' ? ['--directory=/', '--volatile=yes'] : [`--directory=${request.root}`]),
      `--machine=${machineName(request.scratch)}`,
      `--hostname=${request.hostname}`,
      `--drop-capability=${DROPPED.join(',')}`,
      ...(request.network ? [] : ['--private-network']),
      ...binds,
      ...Object.entries(request.environment).map(([name, value]) => `--setenv=${name}=${value}`),
      '--',
      ...argv,
    ],
    { allow: 'any', onLine: request.progress },
  );
}

/** systemd-nspawn(1), --bind=: a colon in a path is escaped by a backslash. */
function escape(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
