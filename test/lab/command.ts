import { execa } from 'execa';

/** What a finished program left behind. */
export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Given to the program's standard input; without it, standard input is /dev/null. */
  input?: string | Uint8Array;
  env?: Readonly<Record<string, string>>;
  /** Milliseconds until the program is killed. */
  timeout?: number;
  /** Throw when the exit code is not 0 (the default). */
  check?: boolean;
  cwd?: string;
}

/** A program failed although its success was required; the message can be pasted into a shell. */
class CommandError extends Error {
  readonly argv: readonly string[];
  readonly output: Output;

  constructor(argv: readonly string[], output: Output, note = '') {
    super(
      `exit code ${output.exitCode}${note}: ${shown(argv)}\n${output.stderr.trim()}\n${output.stdout.trim()}`.trim(),
    );
    this.name = 'CommandError';
    this.argv = argv;
    this.output = output;
  }
}

/** The only place where the lab starts a program of the machine and waits for it. */
export async function command(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('an empty command');
  const result = await execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    env: { LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  const output: Output = {
    exitCode: result.exitCode ?? 255,
    stdout: result.stdout,
    stderr: result.exitCode === undefined ? `${result.stderr}${result.shortMessage ?? ''}` : result.stderr,
  };
  if (options.check !== false && output.exitCode !== 0) {
    throw new CommandError(argv, output, result.timedOut ? ` after ${options.timeout ?? 0} ms` : '');
  }
  return output;
}

/** The command as a line for a shell. */
function shown(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
