import { writeFile } from 'node:fs/promises';
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
  async stage({ stateroot, commit, origin }: HostDeploy, options: readonly string[] = []): Promise<void> {
    const words = ['deploy', '--stage', ...options, `--os=${stateroot}`, `--origin-file=${origin}`, commit];
    await this.#runner.run('ostree', ['admin', ...words]);
  }

  /** Stages a deployment that no shutdown finishes. Before ostree 2023.8 a file said so, and there was no option. */
  async stageLocked(deploy: HostDeploy, marker: string): Promise<void> {
    try {
      await this.stage(deploy, ['--lock-finalization']);
    } catch (error) {
      if (!(error instanceof CommandFailure) || !/Unknown option/.test(error.result.stderr)) throw error;
      await this.stage(deploy);
      await writeFile(marker, '');
    }
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

  /**
   * Undeploys the staged deployment of a stateroot. It is always the first of the list, marked as `(staged)` or as
   * `(finalization locked)` (ot-admin-builtin-status.c).
   */
  async unstage(stateroot: string): Promise<void> {
    const { stdout } = await this.#runner.run('ostree', ['admin', 'status']);
    const first = parseAdminStatus(stdout)[0];
    const marked = /^. \S+ \S+ \((?:staged|finalization locked)/.test(stdout);
    if (first?.stateroot === stateroot && marked)
      await this.#runner.run('ostree', ['admin', 'undeploy', '0']);
  }
}
