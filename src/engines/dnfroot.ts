import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { exists, makeDirectories } from '../system/files.ts';
import type { Runner, RunResult } from '../system/run.ts';
import { findRpmDatabase } from '../tree/rpmdb.ts';
import { listWithin, readWithin, replaceWithin, statWithin } from '../tree/within.ts';
import { writeNameFiles } from './buildfiles.ts';
import type { BuildRoot } from './buildroot.ts';
import { makeConfiguration } from './configuration.ts';
import { runInContainer, type ContainerRequest } from './container.ts';
import { dnfFailure, dnfWarnings, lacksPackages } from './dnfmessages.ts';
import { performFromCache, renewLists, textOf } from './downloads.ts';
import type { BuildRequest } from './engine.ts';
import { redirectFiles, uncheckedRepos } from './repofiles.ts';

export interface DnfSettings {
  runner: Runner;
  now: () => Date;
  /** Proxy variables for downloads. */
  proxies: Readonly<Record<string, string>>;
}

export type DnfRequest = Pick<
  BuildRequest,
  'pool' | 'hostname' | 'configuration' | 'formerBase' | 'cache' | 'progress'
>;

/** The programs of a tree that are dnf: dnf5 and dnf4 have the same options as far as they are used here. */
export const DNF_PROGRAMS = ['usr/bin/dnf', 'usr/bin/dnf5', 'usr/bin/dnf-3'] as const;

/** Where the configuration that the guest will have is seen by dnf. */
const INSIDE = '/run/guestree/rpm';

/** Directories of an etc directory that dnf reads; keys and certificates are named by .repo files. */
const REPOSITORIES = 'yum.repos.d';
const CREDENTIALS = ['pki/rpm-gpg', 'pki/entitlement', 'rhsm'] as const;
const COPIED = [REPOSITORIES, 'dnf', ...CREDENTIALS] as const;

/**
 * rpm's plugins that need rights which a build has not: a name space for each script is what the build has already, as
 * a whole; there is no logind to hold back, and no D-Bus.
 */
const PLUGINS = ['unshare', 'systemd_inhibit', 'dbus_announce'];

const ENVIRONMENT = {
  LC_ALL: 'C.UTF-8',
  HOME: `${INSIDE}/home`,
  DNF_DISABLE_ALIASES: '1',
  // systemctl then only edits files (docs/ENVIRONMENT.md of systemd).
  SYSTEMD_OFFLINE: '1',
};

/**
 * dnf in a build root: the tree's own, or the host's for a tree that has none. Metadata and packages are fetched with the
 * host's network, when dnf runs only its own code; packages are unpacked and their scripts run without any network.
 * dnf works on copies of the repositories and keys that the guest will have; packages write to the tree's. The cache is writable in both,
 * because dnf locks in it; what comes out of it is verified again each time.
 */
export class DnfRoot {
  readonly #settings: DnfSettings;
  readonly #root: BuildRoot;
  readonly #request: DnfRequest;
  /** Absolute path of the tree's own dnf. */
  readonly #own: string | undefined;
  readonly #unchecked: readonly string[];

  private constructor(
    settings: DnfSettings,
    root: BuildRoot,
    request: DnfRequest,
    own: string | undefined,
    unchecked: readonly string[],
  ) {
    this.#settings = settings;
    this.#root = root;
    this.#request = request;
    this.#own = own;
    this.#unchecked = unchecked;
  }

  static async open(settings: DnfSettings, root: BuildRoot, request: DnfRequest): Promise<DnfRoot> {
    const into = `${root.scratch}/rpm`;
    await makeConfiguration(settings.runner, request, { tree: `${root.merged}/etc`, names: COPIED, into });
    await mkdir(`${into}/home`);
    const unchecked = await prepareRepositories(into);
    const database = (await findRpmDatabase(root.merged)) ?? 'usr/lib/sysimage/rpm';
    const macros = [`%_dbpath /${database}`, ...PLUGINS.map((plugin) => `%__transaction_${plugin} %{nil}`)];
    await writeFile(`${root.scratch}/rpm/home/.rpmmacros`, `${macros.join('\n')}\n`);
    await makeDirectories(`${request.cache}/dnf`);
    await chmod(`${request.cache}/dnf`, 0o755);
    await writeNameFiles(root.scratch, request.hostname);
    return new DnfRoot(settings, root, request, await ownProgram(root.merged), unchecked);
  }

  /** What the user should know of the repositories. */
  warnings(): string[] {
    return this.#unchecked.map(
      (repo) =>
        `The repository ${repo} does not check signatures: its packages are installed as they come (gpgcheck=0).`,
    );
  }

  /** Fetches metadata as renewLists() says. */
  async update(force: boolean): Promise<string[]> {
    return renewLists({
      stamp: `${this.#request.cache}/dnf.stamp`,
      now: this.#settings.now(),
      force,
      fetch: () => this.#download(['makecache', '--refresh']),
      explain: dnfFailure,
    });
  }

  /** Runs one operation from the cache; what the cache lacks is downloaded first. Returns warnings. */
  async perform(operation: readonly string[]): Promise<string[]> {
    const output = await performFromCache({
      install: () => this.#offline(['--assumeyes', ...operation]),
      download: () => this.#download(['--downloadonly', ...operation]),
      lacking: lacksPackages,
      explain: dnfFailure,
    });
    return dnfWarnings(output);
  }

  /** What an operation would do, in dnf's words. */
  async simulate(operation: readonly string[]): Promise<string> {
    const result = await this.#offline(['--assumeno', ...operation]);
    const output = textOf(result);
    if (result.exitCode !== 0 && !/^Operation aborted/m.test(output))
      throw dnfFailure(output, result.exitCode);
    return output;
  }

  async #download(args: readonly string[]): Promise<RunResult> {
    return this.#dnf(
      true,
      ['--assumeyes', ...args],
      [{ from: `${this.#root.scratch}/resolv.conf`, to: '/etc/resolv.conf' }],
    );
  }

  async #offline(args: readonly string[]): Promise<RunResult> {
    return this.#dnf(
      false,
      ['--cacheonly', ...args],
      [{ from: `${this.#root.scratch}/hosts`, to: '/etc/hosts' }],
    );
  }

  async #dnf(
    network: boolean,
    args: readonly string[],
    binds: ContainerRequest['binds'],
  ): Promise<RunResult> {
    const { merged, scratch } = this.#root;
    const { hostname, progress, cache } = this.#request;
    const own = this.#own;
    const mounted = own === undefined ? '/run/guestree/root' : '';
    const five = own?.endsWith('dnf5') === true;
    const all = [
      { from: `${cache}/dnf`, to: `${mounted}/var/cache/${five ? 'libdnf5' : 'dnf'}`, rw: true },
      { from: `${scratch}/rpm`, to: INSIDE },
      ...binds,
    ];
    return runInContainer(
      this.#settings.runner,
      {
        ...{ root: own === undefined ? 'host' : merged, scratch, hostname, network, progress },
        binds: own === undefined ? [{ from: merged, to: mounted, rw: true }, ...all] : all,
        environment: { ...ENVIRONMENT, ...(network ? this.#settings.proxies : {}) },
      },
      [own ?? 'dnf', ...(own === undefined ? [`--installroot=${mounted}`] : []), ...OPTIONS, ...args],
    );
  }
}

const OPTIONS = [
  `--config=${INSIDE}/dnf/dnf.conf`,
  ...[`--setopt=reposdir=${INSIDE}/${REPOSITORIES}`, `--setopt=varsdir=${INSIDE}/dnf/vars`],
  ...['--setopt=keepcache=1', '--setopt=color=never'],
  // The default of a distribution; what a single repository says of itself counts. Without it an upgrade with the
  // network away would be a success that changes nothing.
  '--setopt=skip_if_unavailable=0',
];

/** The tree's own dnf; undefined if the host's has to do. @throws Failure `unsupported` if the host has none either */
async function ownProgram(root: string): Promise<string | undefined> {
  for (const path of DNF_PROGRAMS) {
    if ((await statWithin(root, path)) === undefined) continue;
    // In newer distributions `dnf` is a link to dnf5.
    const five = path === 'usr/bin/dnf' && (await statWithin(root, 'usr/bin/dnf5')) !== undefined;
    return `/${five ? 'usr/bin/dnf5' : path}`;
  }
  if (await hostHasDnf()) return undefined;
  throw new Failure('unsupported', 'neither the tree nor the host has dnf', {
    hint: 'Install dnf on the host, or use a tree that has it.',
  });
}

export async function hostHasDnf(): Promise<boolean> {
  return exists('/usr/bin/dnf');
}

/** Makes the copied repositories lead to the copied keys. Returns the enabled ones that check no signature. */
async function prepareRepositories(directory: string): Promise<string[]> {
  let config = await readWithin(directory, 'dnf/dnf.conf');
  if (config === undefined) await replaceWithin(directory, 'dnf/dnf.conf', (config = '[main]\n'));
  const unchecked: string[] = [];
  for (const name of await listWithin(directory, REPOSITORIES)) {
    const path = `${REPOSITORIES}/${name}`;
    const text = await readWithin(directory, path);
    if (text === undefined || !name.endsWith('.repo')) continue;
    unchecked.push(...uncheckedRepos(config, text).map((id) => `${id} (/etc/${path})`));
    await replaceWithin(
      directory,
      path,
      redirectFiles(text, CREDENTIALS, (below) => `${INSIDE}/${below}`),
    );
  }
  return unchecked;
}
