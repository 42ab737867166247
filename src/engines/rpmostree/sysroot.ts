import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { newOrigin, renderOrigin } from '../../formats/origin.ts';
import { Failure } from '../../model/failure.ts';
import type { Commit } from '../../model/names.ts';
import { deploymentId, Sysroot, type Deployment, type Repo } from '../../system/ostree.ts';
import type { Runner } from '../../system/run.ts';
import { replaceWithin, statWithin } from '../../tree/within.ts';
import { putConfiguration, RPM_CONFIGURATION } from '../configuration.ts';

/** The stateroot in a scratch sysroot. */
export const STATEROOT = 'guestree';

/** The ref that rpm-ostree takes for the upstream of the tree. */
const BASE_REF = 'guestree/base';

/**
 * A sysroot below a build's scratch directory, to be booted by a machine whose programs may write to all of it. So it
 * shares no file with the pool: commits are copied into it and back, with their checksums computed anew.
 */
export class ScratchSysroot {
  readonly path: string;
  /** Another mount of the same directory. */
  readonly alias: string;
  readonly #runner: Runner;
  readonly #sysroot: Sysroot;

  private constructor(runner: Runner, scratch: string) {
    this.path = `${scratch}/sysroot`;
    this.alias = `${scratch}/alias`;
    this.#runner = runner;
    this.#sysroot = new Sysroot(runner, this.path);
  }

  get repo(): Repo {
    return this.#sysroot.repo;
  }

  /**
   * Makes it below a scratch directory, whose cleaning (cleanScratch()) removes it.
   * @param commits what is copied out of the pool; the first of them is what the ref of the base points at
   */
  static async make(
    runner: Runner,
    scratch: string,
    pool: Repo,
    commits: readonly [Commit, ...Commit[]],
  ): Promise<ScratchSysroot> {
    const made = new ScratchSysroot(runner, scratch);
    await mkdir(made.path);
    await mkdir(made.alias);
    await made.#sysroot.init(STATEROOT);
    await runner.run('mount', ['--bind', '--', made.path, made.alias]);
    await copy(runner, pool.path, `${made.alias}/ostree/repo`, commits);
    await made.repo.setRef(BASE_REF, commits[0]);
    return made;
  }

  /**
   * Deploys a commit that was made from the base by layering packages, or the base itself.
   * @param requested the packages that are layered in it, in rpm-ostree's words
   * @returns the name of its directory
   */
  async deploy(commit: Commit, requested: readonly string[]): Promise<string> {
    const origin = `${this.path}/origin`;
    await writeFile(origin, renderOrigin({ ...newOrigin(BASE_REF), requested }));
    await this.#runner.run(
      'ostree',
      [
        ...['admin', `--sysroot=${this.path}`, 'deploy', `--os=${STATEROOT}`, `--origin-file=${origin}`],
        ...['--no-prune', commit],
      ],
      // It does not survive a power cut anyway.
      { env: { OSTREE_SYSROOT_DEBUG: 'mutable-deployments', OSTREE_SYSROOT_OPTS: 'skip-sync' } },
    );
    await rm(origin);
    const id = deploymentId(await this.#first());
    const root = this.#sysroot.directory(STATEROOT, id);
    // A first boot would ask for a time zone, and apply presets.
    await replaceWithin(root, 'etc/machine-id', `${randomUUID().replaceAll('-', '')}\n`);
    return id;
  }

  /**
   * Gives a deployment the package sources that the guest will have, and the host's way to find names. Symlinks stay
   * symlinks: they lead somewhere in the machine, where they can do no harm.
   * @param from a directory that makeConfiguration() made
   */
  async configure(deployment: string, from: string, resolvConf: string): Promise<void> {
    const root = this.#sysroot.directory(STATEROOT, deployment);
    await replaceWithin(root, 'etc/resolv.conf', resolvConf);
    await putConfiguration(this.#runner, from, root, RPM_CONFIGURATION);
  }

  /**
   * After the machine: the first deployment. What the machine's root may have put in the place of a
   * directory, to lead ostree to files of the host, is refused; its repository's configuration is written anew.
   */
  async result(): Promise<Deployment> {
    for (const path of ['ostree', 'ostree/repo', 'ostree/repo/objects', 'ostree/deploy', 'boot']) {
      if ((await statWithin(this.path, path))?.isDirectory() !== true) throw tampered(path);
    }
    const objects = await readdir(`${this.repo.path}/objects`, { withFileTypes: true });
    const odd = objects.find((entry) => !entry.isDirectory());
    if (odd !== undefined) throw tampered(`ostree/repo/objects/${odd.name}`);
    await replaceWithin(
      this.path,
      'ostree/repo/config',
      '[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=none\n',
    );
    return this.#first();
  }

  /** Copies a commit into the pool. */
  async deliver(pool: Repo, commit: Commit): Promise<void> {
    await copy(this.#runner, `${this.alias}/ostree/repo`, pool.path, [commit]);
  }

  async #first(): Promise<Deployment> {
    const [first] = await this.#sysroot.deployments();
    if (first === undefined) throw new Failure('failed', `there is no deployment in ${this.path}`);
    return first;
  }
}

/**
 * Objects are written anew and checked against their checksums, because one of the repositories is named by a mount of its
 * own: link(2) does not cross mounts. `--untrusted` alone checks, and then makes a hardlink all the same (ostree 2025.2).
 */
async function copy(runner: Runner, from: string, to: string, commits: readonly Commit[]): Promise<void> {
  await runner.run(
    'ostree',
    [`--repo=${to}`, 'pull-local', '--untrusted', '--disable-fsync', from, ...commits],
    {
      timeoutSeconds: 30 * 60,
    },
  );
}

function tampered(path: string): Failure {
  return new Failure('invalid', `the machine that layered packages left something unexpected at /${path}`, {
    hint: 'The tree or one of its packages does what no package should do. Check the guest’s package sources.',
  });
}
