import { createHash } from 'node:crypto';
import { mkdir, realpath, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { makeDirectories } from '../system/files.ts';
import type { Engine } from '../engines/engine.ts';
import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import { formatSource, type Source } from '../model/source.ts';
import { Repo } from '../system/ostree.ts';
import { CommandFailure, type Runner } from '../system/run.ts';
import { composeDebian } from './debian.ts';
import type { HostApt } from './hostapt.ts';
import { EMPTY_REGISTRY } from './ids.ts';
import { requireBootable } from './inspect.ts';
import { toTree } from './layout.ts';
import { cleanScratch } from './scratch.ts';

export interface BaseRequest {
  pool: Repo;
  source: Source;
  /** A directory on the same mount as the pool; emptied before and after. */
  scratch: string;
  /** Where downloaded archives stay. */
  cache: string;
  progress: (line: string) => void;
}

export interface Base {
  commit: Commit;
  /** False if the source has nothing new. */
  changed: boolean;
  warnings: string[];
}

export interface BaseSettings {
  runner: Runner;
  host: HostApt;
  /** process.arch */
  architecture: string;
  /** Brings a Debian base up to date in place. */
  engine: Engine;
}

/**
 * The pool's ref for a source: what two guests of one source share. A mirror, a path or a repository is part of it, by a
 * hash where it cannot be written in a ref.
 */
export function sourceRef(source: Source, architecture: string): string {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10);
  switch (source.kind) {
    case 'debian': {
      const mirror = source.mirror === undefined ? '' : `-${hash(source.mirror)}`;
      return `base/debian/${source.suite}/${architecture}${mirror}`;
    }
    case 'dir':
    case 'tar':
      return `base/${source.kind}/${
        basename(source.path)
          .replace(/[^A-Za-z0-9-]+/g, '-')
          .replace(/^-+/, '') || 'root'
      }-${hash(source.path)}`;
    case 'ostree':
      return `base/ostree/${hash(`${source.repo ?? ''}\0${source.remote ?? ''}`)}/${source.ref}`;
  }
}

/** Makes base trees in the pool from the sources that users name. */
export class Bases {
  readonly #settings: BaseSettings;

  constructor(settings: BaseSettings) {
    this.#settings = settings;
  }

  /** The base of a source: the one that the pool has already, or a new import. */
  async fetch(request: BaseRequest): Promise<Base> {
    const ref = sourceRef(request.source, this.#settings.architecture);
    const present = await request.pool.resolve(ref);
    return present === undefined
      ? this.#import(request, ref)
      : { commit: present, changed: false, warnings: [] };
  }

  /**
   * Brings the base up to date: a Debian base is upgraded in place, so that ids and what was decided at its first
   * installation stay; other sources are imported again.
   */
  async refresh(request: BaseRequest): Promise<Base> {
    const { pool, source, scratch, cache, progress } = request;
    const ref = sourceRef(source, this.#settings.architecture);
    const present = await pool.resolve(ref);
    if (present === undefined || source.kind !== 'debian') return this.#import(request, ref);
    const built = await this.#settings.engine.build({
      ...{
        pool,
        base: present,
        packages: [],
        upgrade: true,
        registry: EMPTY_REGISTRY,
        scratch,
        cache,
        progress,
      },
      ...{
        hostname: 'localhost',
        archives: localArchives(source.mirror),
        ref,
        subject: formatSource(source),
      },
    });
    return { commit: built.commit, changed: !built.unchanged, warnings: built.warnings };
  }

  /** A commit of the pool as a tree that guests are deployed from: itself where its layout is right. */
  async adopt(request: {
    pool: Repo;
    commit: Commit;
    label: string;
    scratch: string;
  }): Promise<Pick<Base, 'commit' | 'warnings'>> {
    const { pool, commit, label, scratch } = request;
    const { runner } = this.#settings;
    await cleanScratch(runner, scratch);
    await makeDirectories(scratch, 0o700);
    try {
      await pool.checkoutHardlinks(commit, `${scratch}/root`);
      return await this.#commit(pool, label, `${scratch}/root`, 'links', commit);
    } finally {
      await cleanScratch(runner, scratch);
    }
  }

  async #import(request: BaseRequest, ref: string): Promise<Base> {
    const { pool, scratch, source } = request;
    const { runner } = this.#settings;
    await cleanScratch(runner, scratch);
    await makeDirectories(scratch, 0o700);
    try {
      const before = await pool.resolve(ref);
      const { commit, warnings } = await (source.kind === 'ostree'
        ? this.#pull(request, source)
        : this.#unpack(request, source));
      const same =
        before !== undefined && (await pool.contentChecksum(before)) === (await pool.contentChecksum(commit));
      if (!same) await pool.setRef(ref, commit);
      return { commit: same ? before : commit, changed: !same, warnings };
    } finally {
      await cleanScratch(runner, scratch);
    }
  }

  async #unpack(
    request: BaseRequest,
    source: Exclude<Source, { kind: 'ostree' }>,
  ): Promise<{ commit: Commit; warnings: string[] }> {
    const { runner, host } = this.#settings;
    const { scratch, progress } = request;
    const root = `${scratch}/root`;
    const warnings: string[] = [];
    switch (source.kind) {
      case 'debian':
        warnings.push(
          ...(await composeDebian(runner, {
            suite: source.suite,
            mirror: source.mirror,
            host,
            root,
            progress,
          })),
        );
        break;
      case 'dir':
        await copyDirectory(runner, source.path, root, scratch);
        break;
      case 'tar':
        await unpackTar(runner, source.path, root);
        break;
    }
    const made = await this.#commit(request.pool, formatSource(source), root, 'move');
    return { commit: made.commit, warnings: [...warnings, ...made.warnings] };
  }

  /**
   * Takes a tree from a local repository, by hardlinks where it is on the pool's mount. A remote is pulled into a
   * repository that the user named; never into the host's own, whose refs are not guestree's to change.
   */
  async #pull(
    request: BaseRequest,
    source: Extract<Source, { kind: 'ostree' }>,
  ): Promise<{ commit: Commit; warnings: string[] }> {
    const repo = new Repo(this.#settings.runner, source.repo ?? '/ostree/repo');
    if (!(await isDirectory(repo.path))) {
      throw new Failure('not-found', `there is no OSTree repository ${repo.path}`, {
        hint: 'Name the repository that has the ref with --repo=PATH.',
      });
    }
    if (source.remote !== undefined && source.repo !== undefined) await repo.pull(source.remote, source.ref);
    const found = await repo.require(
      source.remote === undefined ? source.ref : `${source.remote}:${source.ref}`,
    );
    const before = await request.pool.resolve(sourceRef(source, this.#settings.architecture));
    if (
      before !== undefined &&
      (before === found || (await request.pool.metadata(before, 'guestree.origin')) === found)
    ) {
      return { commit: before, warnings: [] };
    }
    await request.pool.pullLocal(repo.path, found);
    const root = `${request.scratch}/root`;
    await request.pool.checkoutHardlinks(found, root);
    return this.#commit(request.pool, formatSource(source), root, 'links', found);
  }

  /** Root file system or tree → commit without a ref. A tree that needs no change keeps its commit. */
  async #commit(
    pool: Repo,
    label: string,
    root: string,
    content: 'move' | 'links',
    origin?: Commit,
  ): Promise<{ commit: Commit; warnings: string[] }> {
    await requireBootable(root, label, this.#settings.architecture);
    const warnings = await toTree(root);
    warnings.push(...(await this.#removeSpecialFiles(root)));
    const commit = await pool.commitDirectory({
      directory: root,
      subject: label,
      consume: content === 'move',
      metadata: { 'guestree.source': label, ...(origin === undefined ? {} : { 'guestree.origin': origin }) },
    });
    if (origin === undefined) return { commit, warnings };
    const same = (await pool.contentChecksum(origin)) === (await pool.contentChecksum(commit));
    return { commit: same ? origin : commit, warnings };
  }

  /** Device nodes, fifos and sockets outside of /var, which ostree cannot store ("Not a regular file or symlink"). */
  async #removeSpecialFiles(root: string): Promise<string[]> {
    const types = ['(', '-type', 'b', '-o', '-type', 'c', '-o', '-type', 'p', '-o', '-type', 's', ')'];
    const { stdout } = await this.#settings.runner.run('find', ['.', '-xdev', ...types, '-print0'], {
      cwd: root,
    });
    const paths = stdout.split('\0').filter((path) => path !== '');
    for (const path of paths) await rm(`${root}/${path}`, { force: true });
    return paths.map((path) => `${path.slice(1)} is a special file and was left out of the tree.`);
  }
}

/** The directory of a `file:` or `copy:` mirror: builds have to see it. */
export function localArchives(mirror: string | undefined): string[] {
  const path = /^(?:file|copy):\/{0,2}(\/.*?)\/*$/.exec(mirror ?? '')?.[1];
  return path === undefined ? [] : [path];
}

/** Copies, and reads only: what is mounted below the directory (/proc of a chroot) is not part of it. */
async function copyDirectory(runner: Runner, path: string, root: string, scratch: string): Promise<void> {
  if (!(await isDirectory(path))) {
    throw new Failure('not-found', `there is no directory ${path}`, {
      hint: 'Give the directory that holds usr and etc of the operating system: dir:PATH',
    });
  }
  const real = await realpath(path);
  if (`${await realpath(scratch)}/`.startsWith(real === '/' ? real : `${real}/`)) {
    throw new Failure(
      'invalid',
      `${path} holds guestree's own state directory and cannot be copied into it`,
      {
        hint: 'Copy the operating system to a directory of its own first.',
      },
    );
  }
  await runner.run('cp', [
    '--archive',
    '--reflink=auto',
    '--one-file-system',
    '--no-target-directory',
    '--',
    real,
    root,
  ]);
}

/** tar(1) strips `/` and refuses `..`, and makes absolute symlinks last, so nothing is written outside of `root`. */
async function unpackTar(runner: Runner, path: string, root: string): Promise<void> {
  await mkdir(root);
  try {
    await runner.run('tar', [
      ...[
        '--extract',
        `--file=${path}`,
        '--force-local',
        `--directory=${root}`,
        '--numeric-owner',
        '--preserve-permissions',
      ],
      ...['--acls', '--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.*'],
    ]);
  } catch (error) {
    if (!(error instanceof CommandFailure) || error.reason === 'storage') throw error;
    const why = error.result.stderr.split('\n').find((line) => line.startsWith('tar: ')) ?? error.message;
    const missing = /Cannot open: No such file/.test(error.result.stderr);
    throw new Failure(
      missing ? 'not-found' : 'invalid',
      `the archive ${path} cannot be unpacked: ${why.replace(/^tar: /, '')}`,
      {
        cause: error,
        hint: missing ? 'Check the path: tar:PATH' : `Check it with: tar --list --file=${path}`,
      },
    );
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
