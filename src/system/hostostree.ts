import { CommandFailure, type Runner } from './run.ts';
import { parseAdminStatus } from './ostree.ts';

/** What to deploy on the host's own sysroot. */
export interface HostDeploy {
  stateroot: string;
  commit: string;
  /** A file with the text of the deployment's origin. */
  origin: string;
}

/**
 * `ostree admin` on the host's own sysroot: used by the guard alone. It makes a mount namespace of its own and remounts
 * /sysroot where that is read-only.
 */
export class HostOstree {
  readonly #runner: Runner;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  /** Makes a stateroot; one that exists is no error. */
  async initStateroot(name: string): Promise<void> {
    try {
      await this.#runner.run('ostree', ['admin', 'os-init', name]);
    } catch (error) {
      if (!(error instanceof CommandFailure) || !/exists/i.test(error.result.stderr)) throw error;
    }
  }

  /** Stages a deployment, in the place of whatever is staged. Starts ostree-finalize-staged.service. */
  async stage({ stateroot, commit, origin }: HostDeploy): Promise<void> {
    await this.#runner.run('ostree', [
      ...['admin', 'deploy', '--stage', `--os=${stateroot}`, `--origin-file=${origin}`],
      commit,
    ]);
  }

  /**
   * Deploys at once, as the default of the next boot: what finishing a staged deployment comes to. For the time of a
   * shutdown, in which no unit can be started and so nothing can be staged.
   */
  async deploy(
    { stateroot, commit, origin }: HostDeploy,
    kargs: readonly string[] | undefined,
  ): Promise<void> {
    await this.#runner.run('ostree', [
      ...['admin', 'deploy', `--os=${stateroot}`, `--origin-file=${origin}`],
      ...(kargs === undefined ? [] : ['--karg-none', ...kargs.map((each) => `--karg-append=${each}`)]),
      commit,
    ]);
  }

  /** Undeploys the staged deployment of a stateroot, if it is the one that is staged. */
  async unstage(stateroot: string): Promise<void> {
    const { stdout } = await this.#runner.run('ostree', ['admin', 'status']);
    const first = parseAdminStatus(stdout)[0];
    if (first?.stateroot === stateroot && /\(staged\)/.test(stdout.split('\n', 1)[0] ?? ''))
      await this.#runner.run('ostree', ['admin', 'undeploy', '0']);
  }
}
