import { readFile } from 'node:fs/promises';
import { makeDirectories } from '../../system/files.ts';
import { EXIT_UNCHANGED, Failure } from '../../model/failure.ts';
import type { Commit } from '../../model/names.ts';
import { rpmFileName } from '../../model/overrides.ts';
import { inspectCommit } from '../../system/commit.ts';
import { deploymentId, type Repo } from '../../system/ostree.ts';
import { parseProgress, rpmOstreeArguments, rpmOstreeOutcome } from '../../system/rpmostree.ts';
import type { Runner } from '../../system/run.ts';
import { parseVariantString } from '../../system/varianttext.ts';
import { extendRegistry, type IdRegistry } from '../../tree/ids.ts';
import { cleanScratch } from '../../tree/scratch.ts';
import { comparePackages } from '../comparison.ts';
import { makeConfiguration, RPM_CONFIGURATION } from '../configuration.ts';
import { packageSpec } from '../dnf.ts';
import type {
  BuildRequest,
  BuildResult,
  BuildTarget,
  Engine,
  PackageChange,
  ReplacingRpm,
} from '../engine.ts';
import { movedAccounts } from './accounts.ts';
import { planLayers, sameAsPrevious, type LayerWork } from './layers.ts';
import { runMachine, type Argv, type MachineResult } from './machine.ts';
import { ScratchSysroot, STATEROOT } from './sysroot.ts';

export interface IsolatedSettings {
  runner: Runner;
  /** Proxy variables for downloads. */
  proxies: Readonly<Record<string, string>>;
  /** Reads the rpm database of a tree. */
  rpm: Pick<Engine, 'packages' | 'compareVersions'>;
}

/** What a tree needs to be an ostree host that layers packages on itself. */
const NEEDED = ['/usr/bin/rpm-ostree', '/usr/lib/systemd/system/ostree-finalize-staged.service'];

/** Where a build begins: a tree that is deployed, the base below it, and what is layered between them. */
interface Start {
  tree: Commit;
  base: Commit;
  requested: readonly string[];
}

type Room = Omit<BuildRequest, 'packages' | 'upgrade' | 'base'>;

/**
 * Layers RPM packages with the tree's *own* rpm-ostree: in a short-lived machine that is booted from the tree as an ostree
 * host, with a sysroot of its own (docs/decisions/0009). The result is rpm-ostree's commit as it is.
 */
export class RpmOstreeEngine implements Engine {
  readonly name = 'rpm-ostree' as const;
  readonly automatic = true;
  readonly #settings: IsolatedSettings;

  constructor(settings: IsolatedSettings) {
    this.#settings = settings;
  }

  /** A tree that was layered elsewhere is left to others: rpm-ostree wants the base that it was layered on. */
  async detect(pool: Repo, tree: Commit): Promise<boolean> {
    for (const path of NEEDED) if (!(await pool.has(tree, path))) return false;
    return (await this.#start(pool, tree)) !== undefined;
  }

  async packages(pool: Repo, tree: Commit): Promise<Map<string, string>> {
    return this.#settings.rpm.packages(pool, tree);
  }

  compareVersions(a: string, b: string): number {
    return this.#settings.rpm.compareVersions(a, b);
  }

  /**
   * An upgrade begins with the tree that it replaces, so that rpm-ostree itself sees whether there is anything new;
   * everything else begins with `base`, with overrides an upgrade, too. Other packages of the base tree are never
   * exchanged: a newer base brings newer ones.
   */
  async build(request: BuildRequest & BuildTarget): Promise<BuildResult> {
    const { pool, base, packages, ref, upgrade, previous } = request;
    const { rpm } = this.#settings;
    const requested = packages.map(packageSpec);
    const work = await planLayers(rpm, request, requested, placeInside);
    const keep = async (commit: Commit): Promise<BuildResult> => {
      const kept = await this.#keep(request, commit);
      return { ...kept, warnings: [...work.warnings, ...kept.warnings] };
    };
    if (work.operations.length === 0) return keep(base);
    const own = await this.#start(pool, base);
    if (own === undefined) throw orphan(base);
    const goOn = upgrade && previous !== undefined && work.operations.every(({ verb }) => verb === 'install');
    const replaced = goOn ? await this.#start(pool, previous) : undefined;
    const layered = replaced !== undefined && replaced.tree !== replaced.base ? replaced : undefined;
    const start = layered === undefined ? own : { tree: layered.tree, base: own.base, requested };
    if (layered !== undefined) work.operations = [{ verb: 'upgrade' }];
    return this.#work(request, start, work, async (sysroot, commit) => {
      if (commit === base || commit === start.tree) return keep(commit);
      await sysroot.deliver(pool, commit);
      const same = await sameAsPrevious(rpm, request, commit);
      if (same !== undefined) return keep(same);
      await pool.setRef(ref, commit);
      const { registry, warnings } = await this.#accounts(request, commit);
      return { commit, unchanged: false, registry, warnings: [...work.warnings, ...warnings] };
    });
  }

  /** Layers again, and looks at the result instead of taking it: rpm-ostree can tell only about a booted system. */
  async checkUpgrades(request: Omit<BuildRequest, 'packages' | 'upgrade'>): Promise<PackageChange[]> {
    const { pool, base } = request;
    const start = await this.#start(pool, base);
    if (start === undefined) throw orphan(base);
    if (start.requested.length === 0) return [];
    const below = { tree: start.base, base: start.base, requested: [] };
    const work = await planLayers(
      this.#settings.rpm,
      { ...request, base: start.base },
      start.requested,
      placeInside,
    );
    const overridden = work.operations.length > 1;
    if (!overridden) work.operations = [{ verb: 'upgrade' }];
    return this.#work(request, overridden ? below : start, work, async (sysroot, commit) =>
      comparePackages(await this.packages(pool, base), await this.packages(sysroot.repo, commit)),
    );
  }

  /**
   * Runs the operations in a machine that is booted from `start`, and gives the commit that is the first to be booted
   * afterwards to `use`. Nothing of it is left in the scratch directory.
   */
  async #work<T>(
    request: Room,
    start: Start,
    { operations, files }: LayerWork,
    use: (sysroot: ScratchSysroot, commit: Commit) => Promise<T>,
  ): Promise<T> {
    const { runner, proxies } = this.#settings;
    const { pool, scratch, hostname, progress } = request;
    await cleanScratch(runner, scratch);
    await makeDirectories(scratch, 0o700);
    try {
      const old = (await inspectCommit(runner, pool.path, start.tree))?.parent;
      const below = start.tree !== start.base && old !== undefined ? [old] : [];
      const copied = new Set([start.tree, ...below].filter((commit) => commit !== start.base));
      const sysroot = await ScratchSysroot.make(runner, scratch, pool, [start.base, ...copied]);
      const deployment = await sysroot.deploy(start.tree, start.requested);
      // Upgrades are booted from the old tree, and look where the new one will.
      await pool.checkoutPart(start.base, '/usr/etc', `${scratch}/pristine`);
      const into = `${scratch}/etc`;
      await makeConfiguration(runner, request, {
        tree: `${scratch}/pristine`,
        names: RPM_CONFIGURATION,
        into,
      });
      await sysroot.configure(deployment, into, await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
      const result = await runMachine(
        runner,
        {
          ...{
            sysroot: sysroot.path,
            alias: sysroot.alias,
            stateroot: STATEROOT,
            deployment,
            scratch,
            hostname,
            proxies,
          },
          files: files.map((file) => ({ from: file.path, to: placeInside(file) })),
          progress: (line) => progress(parseProgress(line).text),
        },
        operations.map((operation): Argv => [
          '/usr/bin/rpm-ostree',
          ...rpmOstreeArguments(operation, { os: STATEROOT }),
        ]),
      );
      if (outcomeOf(result) === 'unchanged') return await use(sysroot, start.tree);
      const first = await sysroot.result();
      if (deploymentId(first) !== deployment) return await use(sysroot, first.commit);
      throw new Failure(
        'failed',
        'rpm-ostree staged a tree, and the machine powered off without finalising it',
        {
          hint: 'Run the same command again. If it stays so, use Engine=dnf in the guest’s definition.',
        },
      );
    } finally {
      await cleanScratch(runner, scratch);
    }
  }

  async #keep(request: BuildRequest & BuildTarget, commit: Commit): Promise<BuildResult> {
    await request.pool.setRef(request.ref, commit);
    return { commit, unchanged: true, ...(await this.#accounts(request, commit)) };
  }

  /** Undefined for a layered tree whose base the pool does not have. */
  async #start(pool: Repo, tree: Commit): Promise<Start | undefined> {
    const { runner } = this.#settings;
    const facts = await inspectCommit(runner, pool.path, tree);
    if (facts?.layered !== true) return { tree, base: tree, requested: [] };
    const { parent } = facts;
    if (parent === undefined || (await inspectCommit(runner, pool.path, parent)) === undefined)
      return undefined;
    const { stdout } = await runner.run('ostree', [
      ...[`--repo=${pool.path}`, 'show', '--print-metadata-key=rpmostree.packages', tree],
    ]);
    return { tree, base: parent, requested: parseWords(stdout) };
  }

  /**
   * rpm-ostree numbers users itself, and keeps the numbers of the tree that it layers on. The registry only takes note
   * of them; it is not forced on the tree, which would no longer be rpm-ostree's.
   */
  async #accounts(
    { pool, registry }: Pick<BuildRequest, 'pool' | 'registry'>,
    tree: Commit,
  ): Promise<{ registry: IdRegistry; warnings: string[] }> {
    const [passwd = '', group = ''] = await Promise.all(
      ['passwd', 'group'].map((name) => pool.cat(tree, `/usr/etc/${name}`)),
    );
    return {
      registry: extendRegistry(registry, { passwd, group }),
      warnings: movedAccounts(registry, { passwd, group }),
    };
  }
}

function placeInside(file: ReplacingRpm): string {
  return `/run/guestree/rpms/${rpmFileName(file)}`;
}

/** What came of all operations. @throws Failure for the one that failed */
function outcomeOf({ exitCodes, stdout, stderr }: MachineResult): 'changed' | 'unchanged' {
  const [only = 1, ...others] = exitCodes;
  const failed = exitCodes.find((code) => code !== 0 && code !== EXIT_UNCHANGED);
  if (failed === undefined && others.length > 0) return exitCodes.includes(0) ? 'changed' : 'unchanged';
  return rpmOstreeOutcome({ exitCode: failed ?? only, stdout, stderr });
}

/** A list of strings as g_variant_print() writes it: `['a', 'b']`, or `@as []`. */
function parseWords(text: string): string[] {
  return [...text.matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g)].flatMap(
    ([word]) => parseVariantString(word) ?? [],
  );
}

function orphan(tree: Commit): Failure {
  return new Failure(
    'unsupported',
    `the tree ${tree.slice(0, 12)} was layered by rpm-ostree, and the pool does not have its base`,
    { hint: 'Use the tree without layers as the source, or Engine=dnf in the guest’s definition.' },
  );
}
