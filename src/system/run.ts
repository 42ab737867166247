import { execa } from 'execa';
import { Failure } from '../model/failure.ts';

/**
 * The only place that starts programs. The environment is rebuilt for each of them, so that a user's locale or
 * OSTREE_SYSROOT cannot change what is parsed; standard input is closed unless it is given.
 */
export interface Runner {
  run(program: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

interface RunOptions {
  /** Written to standard input. */
  input?: string;
  cwd?: string;
  /** Added to the rebuilt environment. */
  env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure; only 0 by default, `any` for all. */
  allow?: readonly number[] | 'any';
  /** The terminal's own standard streams, for interactive programs. Nothing is captured then. */
  interactive?: boolean;
  /** Called for each complete line of output while the program runs. */
  onLine?: (line: string) => void;
  /** Seconds after which the program is ended. */
  timeoutSeconds?: number;
}

export interface RunResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** What the runner tells about each program: one line that can be pasted into a shell. */
export interface CommandLog {
  started(line: string): void;
}

/** The Debian package that brings a program, for the hint of "not found". */
const PACKAGES: Readonly<Record<string, string>> = {
  ostree: 'ostree',
  'systemd-nspawn': 'systemd-container',
  machinectl: 'systemd-container',
  systemctl: 'systemd',
  busctl: 'systemd',
  'systemd-run': 'systemd',
  journalctl: 'systemd',
  mmdebstrap: 'mmdebstrap',
  tar: 'tar',
  cp: 'coreutils',
  mount: 'mount',
  umount: 'mount',
  unshare: 'util-linux',
  flock: 'util-linux',
  setpriv: 'util-linux',
};

/** The user's environment that programs may see: proxies and the terminal. */
const KEPT = [
  'TERM',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CURL_CA_BUNDLE',
];

export function cleanEnvironment(
  outer: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = KEPT.flatMap((key) => {
    const value = outer[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    HOME: '/root',
    ...Object.fromEntries(kept),
  };
}

/**
 * A program dies with this process, however that ends (PR_SET_PDEATHSIG(2const)): what a killed guestree had begun must
 * not go on beside the command that takes it back. setpriv(1) becomes the program, so there is no process in between.
 */
const TIED = ['setpriv', '--pdeathsig=KILL', '--'] as const;

/** What setpriv says, with exit code 127, of a program that is not there (errexec() in util-linux). */
const UNKNOWN = /^setpriv: failed to execute .*: No such file or directory$/m;

/** argv as one line for a shell. */
export function pasteable(program: string, args: readonly string[]): string {
  return [program, ...args].map(shellQuote).join(' ');
}

function shellQuote(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function createRunner(log: CommandLog, outer: Readonly<Record<string, string | undefined>>): Runner {
  const base = cleanEnvironment(outer);
  return {
    async run(program, args, options = {}) {
      const line = pasteable(program, args);
      log.started(line);
      const [file, ...words] =
        options.interactive === true ? [program, ...args] : [...TIED, program, ...args];
      const child = execa(file, words, {
        env: { ...base, ...options.env },
        extendEnv: false,
        reject: false,
        stripFinalNewline: false,
        maxBuffer: 200_000_000,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.timeoutSeconds === undefined ? {} : { timeout: options.timeoutSeconds * 1000 }),
        ...(options.interactive === true
          ? { stdio: 'inherit' as const }
          : options.input === undefined
            ? { stdin: 'ignore' as const }
            : { input: options.input }),
      });
      if (options.onLine && options.interactive !== true) {
        void forwardLines(child, options.onLine);
      }
      const result = await child;
      if (result.exitCode === undefined) throw notStarted(program, line, result);
      if (result.exitCode === 127 && UNKNOWN.test(result.stderr)) throw notInstalled(program);
      const allowed = options.allow ?? [0];
      const outcome: RunResult = {
        exitCode: result.exitCode,
        stdout: typeof result.stdout === 'string' ? result.stdout : '',
        stderr: typeof result.stderr === 'string' ? result.stderr : '',
      };
      if (allowed === 'any' || allowed.includes(result.exitCode)) return outcome;
      throw new CommandFailure(program, line, outcome);
    },
  };
}

async function forwardLines(
  child: { iterable(options: { from: 'all' | 'stdout' | 'stderr' }): AsyncIterable<unknown> },
  onLine: (line: string) => void,
): Promise<void> {
  const follow = async (from: 'stdout' | 'stderr'): Promise<void> => {
    for await (const line of child.iterable({ from })) if (typeof line === 'string') onLine(line);
  };
  // A failing program makes the iteration throw as well; its failure is reported by the awaited result.
  await Promise.allSettled([follow('stdout'), follow('stderr')]);
}

/** A program ran and failed. Callers may look at its output to give a better reason. */
export class CommandFailure extends Failure {
  readonly program: string;
  readonly result: RunResult;

  constructor(program: string, line: string, result: RunResult) {
    const why = lastLines(result.stderr || result.stdout, 12);
    const full = /No space left on device|Disk quota exceeded/.test(`${result.stderr}${result.stdout}`);
    super(
      full ? 'storage' : 'failed',
      full
        ? `no space left on the device while running ${program}`
        : `${program} failed with exit code ${result.exitCode}${why === '' ? '' : `: ${why}`}`,
      {
        hint: full
          ? 'Make space (guestree cleanup, df -h), then run the same command again.'
          : `It was: ${line}`,
      },
    );
    this.program = program;
    this.result = result;
  }
}

function notStarted(
  program: string,
  line: string,
  result: {
    code?: string | undefined;
    timedOut: boolean;
    signal?: string | undefined;
    originalMessage?: string | undefined;
  },
): Failure {
  if (result.code === 'ENOENT') return notInstalled(program);
  if (result.timedOut)
    return new Failure('failed', `${program} did not finish in time`, { hint: `It was: ${line}` });
  if (result.signal !== undefined) {
    return new Failure('failed', `${program} was ended by ${result.signal}`, { hint: `It was: ${line}` });
  }
  return new Failure(
    'failed',
    `${program} could not be started: ${result.originalMessage ?? 'unknown reason'}`,
  );
}

function notInstalled(program: string): Failure {
  const from = PACKAGES[program];
  return new Failure('missing-program', `the program "${program}" is not installed`, {
    hint:
      from === undefined ? `Install ${program}.` : `Install it, for example with: apt-get install ${from}`,
  });
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
