import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure } from '../model/failure.ts';
import { parseCommit, type Commit } from '../model/names.ts';
import { readBootEntries, type BootEntry } from './bootentries.ts';
import { isErrno, writeFileAtomic } from './files.ts';
import { CommandFailure, type Runner, type RunResult } from './run.ts';
import { parseVariantString } from './varianttext.ts';

/** A deployment as `ostree admin status` lists it. */
export interface Deployment {
  /** Position in the list: what `ostree admin pin` and `undeploy` take. */
  index: number;
  stateroot: string;
  commit: Commit;
  serial: number;
  pinned: boolean;
}

/** The directory name of a deployment: `CSUM.SERIAL`. */
export function deploymentId(deployment: Pick<Deployment, 'commit' | 'serial'>): string {
  return `${deployment.commit}.${deployment.serial}`;
}

/**
 * Parses the text of `ostree admin status`. The JSON form does not exist in ostree 2022.7 (Debian 12), the text form
 * exists in all versions (src/ostree/ot-admin-builtin-status.c): a line `[* ] OSNAME CSUM.SERIAL[ (staged)…]` for
 * each deployment, in the order of their index, followed by indented details, `Pinned: yes` among them.
 */
export function parseAdminStatus(text: string): Deployment[] {
  const deployments: Deployment[] = [];
  for (const line of text.split('\n')) {
    const head = /^[* ] ([^\s/]+) ([0-9a-f]{64})\.([0-9]+)(?: \(.*\))?\s*$/.exec(line);
    if (head) {
      deployments.push({
        index: deployments.length,
        stateroot: head[1] ?? '',
        commit: parseCommit(head[2] ?? ''),
        serial: Number(head[3]),
        pinned: false,
      });
    } else if (/^\s+Pinned: yes\s*$/.test(line)) {
      const last = deployments.at(-1);
      if (last) last.pinned = true;
    }
  }
  return deployments;
}

function splitLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** The checksum in the text of `ostree show COMMIT`; it stands before anything that the commit's author wrote. */
export function parseContentChecksum(text: string): string | undefined {
  return /^ContentChecksum: {2}([0-9a-f]{64})$/m.exec(text)?.[1];
}

/** `ostree` on one repository. */
export class Repo {
  readonly path: string;
  readonly #runner: Runner;

  constructor(runner: Runner, path: string) {
    this.#runner = runner;
    this.path = path;
  }

  async #run(args: readonly string[]): Promise<RunResult> {
    return this.#runner.run('ostree', [`--repo=${this.path}`, ...args]);
  }

  /** Makes an empty repository of mode `bare`: files are stored with owner, mode and xattrs, fit for hardlinks. */
  async init(): Promise<void> {
    await this.#run(['init', '--mode=bare']);
  }

  async configure(key: string, value: string): Promise<void> {
    await this.#run(['config', 'set', key, value]);
  }

  /** The commit that a ref points at, or undefined. */
  async resolve(ref: string): Promise<Commit | undefined> {
    try {
      return parseCommit((await this.#run(['rev-parse', ref])).stdout);
    } catch (error) {
      if (
        error instanceof CommandFailure &&
        /Refspec .* not found|No such metadata/.test(error.result.stderr)
      )
        return undefined;
      throw error;
    }
  }

  /** The commit that a ref points at; a missing one is a failure. */
  async require(ref: string): Promise<Commit> {
    const commit = await this.resolve(ref);
    if (commit !== undefined) return commit;
    throw new Failure('not-found', `there is no ref "${ref}" in the repository ${this.path}`, {
      hint: `List its refs with: ostree refs --repo=${this.path}`,
    });
  }

  /** All refs with their commits, with what ostree 2022.7 has: `refs --revision` is newer. */
  async refs(): Promise<Map<string, string>> {
    const names = splitLines((await this.#run(['refs'])).stdout);
    if (names.length === 0) return new Map();
    const commits = splitLines((await this.#run(['rev-parse', ...names])).stdout);
    return new Map(names.map((name, index) => [name, commits[index] ?? '']));
  }

  async setRef(ref: string, commit: Commit): Promise<void> {
    await this.#run(['refs', '--create', ref, '--force', commit]);
  }

  /**
   * Deletes a ref, and the directories of its name that are then empty, which ostree leaves. The first of them stays: it
   * is shared with others, who may be about to make something in it.
   */
  async deleteRef(ref: string): Promise<void> {
    if ((await this.resolve(ref)) !== undefined) await this.#run(['refs', '--delete', ref]);
    for (let name = dirname(ref); name.includes('/'); name = dirname(name)) {
      try {
        await rmdir(`${this.path}/refs/heads/${name}`);
      } catch (error) {
        if (isErrno(error, 'ENOTEMPTY')) return;
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  /** Copies a commit from another repository; hardlinks where both are on one mount and of mode bare. */
  async pullLocal(from: string, refOrCommit: string): Promise<void> {
    await this.#run(['pull-local', '--disable-fsync', from, refOrCommit]);
  }

  /** Downloads a ref from a remote that is configured in this repository. */
  async pull(remote: string, ref: string): Promise<void> {
    await this.#run(['pull', remote, ref]);
  }

  /** Checks a commit out as hardlinks into the repository: never write into a file of it in place. */
  async checkoutHardlinks(commit: Commit, directory: string): Promise<void> {
    await this.#run(['checkout', '-H', '--fsync=no', commit, directory]);
  }

  /** Copies one directory of a commit, `path` being absolute, to a directory that does not exist yet. */
  async checkoutPart(commit: Commit, path: string, directory: string): Promise<void> {
    await this.#run(['checkout', `--subpath=${path}`, '--force-copy', '--fsync=no', commit, directory]);
  }

  /**
   * Commits a directory. Files that are hardlinks of objects of this repository are not looked at again
   * (--devino-canonical); what is new is written once. A commit syncs the file system before objects get their final
   * names, and only then sets the ref (ostree_repo_commit_transaction() in ostree-repo-commit.c): after a power cut
   * no ref points at objects that are not on the disk.
   */
  async commitDirectory(options: {
    directory: string;
    /** The branch to set; without it the commit is reachable by its checksum only, until setRef(). */
    ref?: string;
    subject: string;
    metadata?: Readonly<Record<string, string>>;
    parent?: Commit;
    /**
     * Move files into the repository instead of copying them, for a directory that is no checkout; it is unusable
     * afterwards.
     */
    consume?: boolean;
  }): Promise<Commit> {
    const metadata = Object.entries(options.metadata ?? {}).map(
      ([k, v]) => `--add-metadata-string=${k}=${v}`,
    );
    const { stdout } = await this.#run([
      'commit',
      options.ref === undefined ? '--orphan' : `--branch=${options.ref}`,
      `--subject=${options.subject}`,
      options.parent === undefined ? '--parent=none' : `--parent=${options.parent}`,
      // A commit that names its refs can be pulled under those names only; guests share trees under several.
      '--no-bindings',
      options.consume === true ? '--consume' : '--devino-canonical',
      ...metadata,
      `--tree=dir=${options.directory}`,
    ]);
    return parseCommit(stdout);
  }

  /** Whether a commit has a file or directory at an absolute path. */
  async has(commit: string, path: string): Promise<boolean> {
    try {
      await this.#run(['ls', commit, path]);
      return true;
    } catch (error) {
      if (error instanceof CommandFailure && /No such file|not found/i.test(error.result.stderr))
        return false;
      throw error;
    }
  }

  /** The text of one file of a commit, or undefined. */
  async cat(commit: string, path: string): Promise<string | undefined> {
    try {
      return (await this.#run(['cat', commit, path])).stdout;
    } catch (error) {
      if (error instanceof CommandFailure && /No such file|not found/i.test(error.result.stderr))
        return undefined;
      throw error;
    }
  }

  /** A checksum over content and metadata of the whole tree, the same for equal trees (ostree show: ContentChecksum). */
  async contentChecksum(commit: string): Promise<string> {
    const { stdout } = await this.#run(['show', commit]);
    const checksum = parseContentChecksum(stdout);
    if (checksum === undefined)
      throw new Failure('failed', `ostree show ${commit} printed no ContentChecksum`);
    return checksum;
  }

  /** One string of a commit's metadata, or undefined. */
  async metadata(commit: string, key: string): Promise<string | undefined> {
    try {
      const { stdout } = await this.#run(['show', `--print-metadata-key=${key}`, commit]);
      return parseVariantString(stdout);
    } catch (error) {
      if (error instanceof CommandFailure && error.result.stderr.includes('No such metadata key'))
        return undefined;
      throw error;
    }
  }

  /** Deletes objects that no ref reaches. */
  async prune(): Promise<void> {
    await this.#run(['prune', '--refs-only', '--depth=0']);
  }

  async fsck(): Promise<void> {
    await this.#run(['fsck', '--quiet']);
  }
}

/** `ostree admin` on one private sysroot. Never the host's: the path is part of every call. */
export class Sysroot {
  readonly path: string;
  readonly repo: Repo;
  readonly #runner: Runner;

  constructor(runner: Runner, path: string) {
    this.#runner = runner;
    this.path = path;
    this.repo = new Repo(runner, `${path}/ostree/repo`);
  }

  /**
   * `mutable-deployments` leaves out the immutable flag on a deployment's top directory (ostree-sysroot.c, keys of
   * OSTREE_SYSROOT_DEBUG): it guards a host's own root against a careless administrator, but a guest's root is mounted
   * read-only, and the flag would make a guest directory that nobody can remove without a program for it.
   */
  async #admin(args: readonly string[]): Promise<RunResult> {
    return this.#runner.run('ostree', ['admin', `--sysroot=${this.path}`, ...args], {
      env: { OSTREE_SYSROOT_DEBUG: 'mutable-deployments' },
    });
  }

  async init(stateroot: string): Promise<void> {
    await this.#runner.run('ostree', ['admin', 'init-fs', '--modern', this.path]);
    // Boot loader entries go to the sysroot's own boot/, read by nobody; no boot loader is probed or written.
    await this.repo.configure('sysroot.bootloader', 'none');
    await this.#admin(['os-init', stateroot]);
  }

  async deployments(): Promise<Deployment[]> {
    return parseAdminStatus((await this.#admin(['status'])).stdout);
  }

  /**
   * Lets commits be deployed out of another repository, without copying anything: objects that are not in this one are
   * looked up there, and hardlinked from there (`core.parent`, ostree.repo-config(5); ostree-repo-checkout.c walks the
   * chain of parents). What is deployed of it must stay reachable by a ref there.
   */
  async shareObjects(pool: string): Promise<void> {
    const config = await readFile(`${this.repo.path}/config`, 'utf8');
    if (!config.split('\n').includes(`parent=${pool}`)) await this.repo.configure('core.parent', pool);
  }

  /**
   * Deploys a commit as the first of the list, pinned, with the /etc of the deployment that was first merged in, and
   * keeps every other deployment. Gives its id.
   *
   * Its origin file says already what `ostree admin pin` would write into it (ostree_sysroot_deployment_set_pinned() in
   * ostree-sysroot.c), so there is no moment at which it is listed and not pinned.
   */
  async deploy(stateroot: string, refOrCommit: string): Promise<string> {
    const origin = this.#origin;
    await writeFile(origin, `[origin]\nrefspec=${refOrCommit}\n\n[libostree-transient]\npinned=true\n`);
    const options = [`--os=${stateroot}`, `--origin-file=${origin}`, '--retain', '--no-prune'];
    try {
      await this.#admin(['deploy', ...options, refOrCommit]);
    } finally {
      await this.forgetOrigin();
    }
    const [first] = await this.#bootEntries();
    if (first?.target === undefined) throw new Failure('failed', `ostree made no deployment in ${this.path}`);
    return first.target.id;
  }

  get #origin(): string {
    return `${this.path}/origin`;
  }

  /** Removes the origin file that a deploy() that was cut off left. */
  async forgetOrigin(): Promise<void> {
    await rm(this.#origin, { force: true });
  }

  /** Whether there are directories of deployments other than these, listed by ostree or left by a cut-off deploy. */
  async hasOthers(stateroot: string, known: ReadonlySet<string>): Promise<boolean> {
    const names = await readdir(`${this.path}/ostree/deploy/${stateroot}/deploy`).catch(() => []);
    return names.some((name) => !known.has(name.replace(/\.origin$/, '')));
  }

  async #bootEntries(): Promise<BootEntry[]> {
    return readBootEntries(`${this.path}/boot`, this.path);
  }

  /**
   * Puts a deployment first in the list, so that the next deploy() merges its /etc: for an OS that is not booted,
   * libostree merges from the first one (ostree_sysroot_get_merge_deployment()). `ostree admin set-default` does not
   * exist in ostree 2022.7; the list's order is the order of the boot loader entries, which in this sysroot nothing
   * else reads.
   */
  async makeFirst(id: string): Promise<void> {
    const entries = await this.#bootEntries();
    const chosen = entries.find((entry) => entry.target?.id === id);
    if (chosen === undefined)
      throw new Failure('invalid', `the deployment ${id} is not listed by ostree in ${this.path}`);
    if (chosen === entries[0]) return;
    const wanted = [chosen, ...entries.filter((entry) => entry !== chosen)];
    for (const [position, entry] of wanted.entries()) {
      const text = entry.text.replace(/^version [0-9]+$/m, `version ${wanted.length - position}`);
      if (text !== entry.text) await writeFileAtomic(entry.path, text);
    }
  }

  async unpin(index: number): Promise<void> {
    await this.#admin(['pin', '--unpin', String(index)]);
  }

  async undeploy(index: number): Promise<void> {
    await this.#admin(['undeploy', String(index)]);
  }

  async cleanup(): Promise<void> {
    await this.#admin(['cleanup']);
  }

  /** The directory of a deployment. */
  directory(stateroot: string, id: string): string {
    return `${this.path}/ostree/deploy/${stateroot}/deploy/${id}`;
  }

  /** The stateroot's /var. */
  variable(stateroot: string): string {
    return `${this.path}/ostree/deploy/${stateroot}/var`;
  }
}
