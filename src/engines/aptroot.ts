import { createHash } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { makeDirectories } from '../system/files.ts';
import type { Runner, RunResult } from '../system/run.ts';
import {
  listWithin,
  moveWithin,
  readWithin,
  removeWithin,
  replaceWithin,
  statWithin,
} from '../tree/within.ts';
import { aptFailure, lacksArchives } from './aptmessages.ts';
import { writeNameFiles } from './buildfiles.ts';
import type { BuildRoot } from './buildroot.ts';
import { makeConfiguration } from './configuration.ts';
import { runInContainer, type ContainerRequest } from './container.ts';
import { performFromCache, renewLists, textOf } from './downloads.ts';
import type { BuildRequest } from './engine.ts';

export interface AptSettings {
  runner: Runner;
  now: () => Date;
  /** Lines of apt.conf(5) that lead to the archives from this host. */
  transport: readonly string[];
  /** Proxy variables for downloads. */
  proxies: Readonly<Record<string, string>>;
}

export type AptRequest = Pick<
  BuildRequest,
  'pool' | 'hostname' | 'configuration' | 'formerBase' | 'cache' | 'archives' | 'progress'
>;

const OPTIONS = [
  ...['--yes', '--quiet', '-o', 'Dpkg::Use-Pty=0', '-o', 'APT::Color=0', '-o', 'Acquire::Languages=none'],
  // The tree's own configuration files win over a package's new ones; the guest's /etc is merged later, by ostree.
  ...['-o', 'Dpkg::Options::=--force-confold', '-o', 'Dpkg::Options::=--force-unsafe-io'],
  ...['-o', 'APT::Keep-Downloaded-Packages=true'],
  // Built from dpkg's status file, and compared with it by size and time only: files of a checkout have time 0.
  ...['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache=srcpkgcache.bin'],
];

const ENVIRONMENT = {
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  DEBIAN_PRIORITY: 'critical',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  APT_LISTCHANGES_FRONTEND: 'none',
  UCF_FORCE_CONFFOLD: '1',
  // systemctl then only edits files (docs/ENVIRONMENT.md of systemd).
  SYSTEMD_OFFLINE: '1',
};

/**
 * apt-get in a build root. Lists and archives are fetched with the host's network, when apt runs only its own code;
 * packages are unpacked and their scripts run without any network, with the cache read-only.
 */
export class AptRoot {
  readonly #settings: AptSettings;
  readonly #root: BuildRoot;
  readonly #request: AptRequest;
  readonly #lists: string;
  /** The etc/apt that the guest will have, if it is not simply the tree's. */
  readonly #own: string | undefined;

  private constructor(
    settings: AptSettings,
    root: BuildRoot,
    request: AptRequest,
    lists: string,
    own: string | undefined,
  ) {
    this.#settings = settings;
    this.#root = root;
    this.#request = request;
    this.#lists = lists;
    this.#own = own;
  }

  static async open(settings: AptSettings, root: BuildRoot, request: AptRequest): Promise<AptRoot> {
    const own = await ownConfiguration(settings, root, request);
    const lists = `${request.cache}/lists/${await sourcesKey(own === undefined ? `${root.merged}/etc/apt` : own)}`;
    await makeDirectories(`${lists}/partial`);
    await makeDirectories(`${request.cache}/apt/archives/partial`);
    for (const path of [lists, `${request.cache}/apt`, `${request.cache}/apt/archives`])
      await chmod(path, 0o755);
    await writeNameFiles(root.scratch, request.hostname);
    await writeFile(`${root.scratch}/apt-download.conf`, `${settings.transport.join('\n')}\n`);
    await writeFile(
      `${root.scratch}/apt-install.conf`,
      own === undefined ? '' : 'Dir::Etc "/run/guestree/apt/";\n',
    );
    return new AptRoot(settings, root, request, lists, own);
  }

  /**
   * Fetches package lists if there are none, if they are old, or if `force` says so.
   * @returns a warning if old lists have to do because the network is away
   */
  async update(force: boolean): Promise<string[]> {
    return renewLists({
      stamp: `${this.#lists}.stamp`,
      now: this.#settings.now(),
      force,
      fetch: () => this.#download(['update', '-o', 'APT::Update::Error-Mode=any']),
      explain: aptFailure,
    });
  }

  /** Runs one operation from the cache; what the cache lacks is downloaded first. */
  async perform(operation: readonly string[]): Promise<void> {
    await performFromCache({
      install: () => this.#install(operation),
      download: () => this.#download(['--download-only', ...operation]),
      lacking: lacksArchives,
      explain: aptFailure,
    });
  }

  /** What an operation would do, in apt-get's words. */
  async simulate(operation: readonly string[]): Promise<string> {
    // With --no-download even a simulation wants the archives to be there.
    const result = await this.#install(['--simulate', '--download', ...operation]);
    if (result.exitCode !== 0) throw aptFailure(textOf(result), result.exitCode);
    return result.stdout;
  }

  /** Creates what the tree's tmpfiles.d files describe, for a tree whose /var is described by nothing else. */
  async createVariable(): Promise<void> {
    await this.#run(false, [], {}, ['systemd-tmpfiles', '--create', '--prefix=/var']);
  }

  async #download(args: readonly string[]): Promise<RunResult> {
    const { scratch } = this.#root;
    return this.#apt(true, args, '/run/guestree/apt.conf', [
      { from: `${scratch}/resolv.conf`, to: '/etc/resolv.conf' },
      { from: `${scratch}/apt-download.conf`, to: '/run/guestree/apt.conf' },
      // Here at its own place, because sources name their keys by absolute paths below /etc/apt.
      ...(this.#own === undefined ? [] : [{ from: this.#own, to: '/etc/apt' }]),
    ]);
  }

  async #install(args: readonly string[]): Promise<RunResult> {
    const { scratch } = this.#root;
    // The cache is read-only here; the build root has no other user, so nothing needs a lock.
    const options = ['--no-download', '-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=1'];
    return this.#apt(false, [...options, ...args], '/run/guestree/apt.conf', [
      { from: `${scratch}/apt-install.conf`, to: '/run/guestree/apt.conf' },
      { from: `${scratch}/hosts`, to: '/etc/hosts' },
      // Here beside /etc/apt, which packages may have to write to.
      ...(this.#own === undefined ? [] : [{ from: this.#own, to: '/run/guestree/apt' }]),
    ]);
  }

  async #apt(
    network: boolean,
    args: readonly string[],
    config: string,
    binds: ContainerRequest['binds'],
  ): Promise<RunResult> {
    const all = [
      { from: `${this.#request.cache}/apt`, to: '/var/cache/apt', rw: network },
      { from: this.#lists, to: '/var/lib/apt/lists', rw: network },
      ...(this.#request.archives ?? []).map((path) => ({ from: path, to: path })),
      ...binds,
    ];
    const environment = { APT_CONFIG: config, ...(network ? this.#settings.proxies : {}) };
    return this.#run(network, all, environment, ['apt-get', ...OPTIONS, ...args]);
  }

  async #run(
    network: boolean,
    binds: ContainerRequest['binds'],
    environment: Readonly<Record<string, string>>,
    argv: readonly string[],
  ): Promise<RunResult> {
    const { merged, scratch } = this.#root;
    const { hostname, progress } = this.#request;
    const all = { ...ENVIRONMENT, ...environment };
    return runInContainer(
      this.#settings.runner,
      { root: merged, scratch, hostname, network, binds, environment: all, progress },
      argv,
    );
  }
}

async function ownConfiguration(
  { runner }: AptSettings,
  { merged, scratch }: BuildRoot,
  request: AptRequest,
): Promise<string | undefined> {
  if (request.configuration === undefined) return undefined;
  const into = `${scratch}/etc`;
  await makeConfiguration(runner, request, { tree: `${merged}/etc`, names: ['apt'], into });
  return (await statWithin(into, 'apt')) === undefined ? undefined : `${into}/apt`;
}

/** Lists belong to a set of sources: with other sources, apt would delete them. */
async function sourcesKey(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await listWithin(directory, 'sources.list.d')).map((name) => `sources.list.d/${name}`);
  for (const name of ['sources.list', ...names])
    hash.update(`${name}\0${(await readWithin(directory, name)) ?? ''}\0`);
  return hash.digest('hex').slice(0, 16);
}

const POLICY = 'usr/sbin/policy-rc.d';
const SAVED = 'usr/sbin/policy-rc.d.guestree';
const FORBID =
  '#!/bin/sh\n# Written by guestree for the time of a build: nothing is started in it.\nexit 101\n';

/** Forbids package scripts to start services (invoke-rc.d(8): 101 is "action forbidden by policy") while `use` runs. */
export async function withoutServices<T>(root: string, use: () => Promise<T>): Promise<T> {
  await moveWithin(root, POLICY, SAVED);
  await replaceWithin(root, POLICY, FORBID, { attributes: { mode: 0o755, uid: 0, gid: 0 } });
  const result = await use();
  // A package that was installed meanwhile may have brought its own.
  if ((await readWithin(root, POLICY)) === FORBID) {
    await removeWithin(root, POLICY);
    await moveWithin(root, SAVED, POLICY);
  } else {
    await removeWithin(root, SAVED);
  }
  return result;
}
