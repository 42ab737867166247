import type { Runner, RunResult } from './run.ts';

/**
 * Programs in the namespaces of a running guest, with the guest's own idea of root: nsenter(1) from outside, so that it
 * works before the guest's message bus does, and in a guest that has none. What is started so is not part of the guest's
 * control group and ends with us.
 */
export class Inside {
  readonly #runner: Runner;
  readonly #leader: number;

  /** @param leader process id of the guest's first process, on the host */
  constructor(runner: Runner, leader: number) {
    this.#runner = runner;
    this.#leader = leader;
  }

  /** Any exit code is returned. @throws Failure if it did not end in `timeoutSeconds` */
  run(argv: readonly string[], timeoutSeconds: number): Promise<RunResult> {
    const enter = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--user', '--root', '--wd=/'];
    return this.#runner.run('nsenter', [`--target=${this.#leader}`, ...enter, '--', ...argv], {
      allow: 'any',
      timeoutSeconds,
    });
  }

  /** A program of the host that sees the guest's network and nothing else of it. */
  runInNetwork(argv: readonly string[], timeoutSeconds: number): Promise<RunResult> {
    return this.#runner.run('nsenter', [`--target=${this.#leader}`, '--net', '--', ...argv], {
      allow: 'any',
      timeoutSeconds,
    });
  }

  /** Names of the units in the state `failed` (systemctl(1)). */
  async failedUnits(): Promise<string[]> {
    const argv = [
      'systemctl',
      'list-units',
      '--state=failed',
      '--plain',
      '--no-legend',
      '--full',
      '--no-pager',
    ];
    const { stdout } = await this.run(argv, 30);
    return parseUnitNames(stdout);
  }

  /** The last lines that a unit wrote to the guest's journal. */
  async lastLog(unit: string): Promise<string> {
    const argv = ['journalctl', `--unit=${unit}`, '--output=cat', '--lines=3', '--no-pager', '--boot'];
    const { stdout } = await this.run(argv, 30);
    return stdout.trim();
  }
}

/** The first word of each line of `systemctl list-units --plain --no-legend`. */
export function parseUnitNames(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/[ \t]+/)[0] ?? '')
    .filter((name) => name !== '');
}
