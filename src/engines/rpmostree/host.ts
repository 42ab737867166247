import { makeDirectories } from '../../system/files.ts';
import type { GuardWindow } from '../../guard/window.ts';
import { windowStateroot } from '../../guard/names.ts';
import type { Commit } from '../../model/names.ts';
import { parseGuestName } from '../../model/names.ts';
import type { Repo } from '../../system/ostree.ts';
import { RpmOstree, type RpmOstreeOperation } from '../../system/rpmostree.ts';
import type { Runner } from '../../system/run.ts';
import { cleanScratch } from '../../tree/scratch.ts';
import {
  dropOutwardLinks,
  makeConfiguration,
  putConfiguration,
  RPM_CONFIGURATION,
} from '../configuration.ts';
import { packageSpec } from '../dnf.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine, PackageChange } from '../engine.ts';
import { planLayers, sameAsPrevious } from './layers.ts';

export interface HostSettings {
  runner: Runner;
  window: GuardWindow;
  /** The host's own repository. */
  repo: string;
  /** Reads the rpm database of a tree. */
  rpm: Pick<Engine, 'packages' | 'compareVersions'>;
}

/** Where an rpm database may be in a tree: rpm-ostree's own place, and the one of newer Fedora. */
const DATABASES = ['/usr/share/rpm', '/usr/lib/sysimage/rpm'];

/**
 * Layers RPM packages with the *host's* rpm-ostree, for trees that have none of their own. It works inside a guard
 * window, which the plan opens and closes around it (src/apply/guard.ts): the tree to layer on is staged there already.
 */
export class RpmOstreeHostEngine implements Engine {
  readonly name = 'rpm-ostree:host';
  readonly automatic = false;
  readonly #settings: HostSettings;

  constructor(settings: HostSettings) {
    this.#settings = settings;
  }

  async detect(pool: Repo, tree: Commit): Promise<boolean> {
    for (const path of DATABASES) if (await pool.has(tree, path)) return true;
    return false;
  }

  async packages(pool: Repo, tree: Commit): Promise<Map<string, string>> {
    return this.#settings.rpm.packages(pool, tree);
  }

  compareVersions(a: string, b: string): number {
    return this.#settings.rpm.compareVersions(a, b);
  }

  /** Without layers the result is the base itself: it was brought up to date where it comes from. */
  async build(request: BuildRequest & BuildTarget): Promise<BuildResult> {
    const { pool, base, ref, registry } = request;
    const { runner, window, repo, rpm } = this.#settings;
    const { operations, warnings } = await planLayers(
      rpm,
      request,
      request.packages.map(packageSpec),
      ({ path }) => path,
    );
    const unchanged = async (commit: Commit): Promise<BuildResult> => {
      await pool.setRef(ref, commit);
      return { commit, unchanged: true, registry, warnings };
    };
    if (operations.length === 0) return unchanged(base);
    await makeDirectories(request.scratch, 0o700);
    try {
      const configuration = await this.#configuration(request, warnings);
      let changed = false;
      for (const operation of operations) {
        // rpm-ostree reads the sources of the staged deployment, and each call stages another one.
        const { directory } = await window.result();
        await putConfiguration(runner, configuration, directory, RPM_CONFIGURATION);
        if ((await this.#change(request, operation)) === 'changed') changed = true;
      }
      // All of the packages are in the base already.
      if (!changed) return await unchanged(base);
    } finally {
      await cleanScratch(runner, request.scratch);
    }
    const { commit } = await window.result();
    await pool.pullLocal(repo, commit);
    const same = await sameAsPrevious(rpm, request, commit);
    if (same !== undefined) return unchanged(same);
    await pool.setRef(ref, commit);
    return { commit, unchanged: false, registry, warnings };
  }

  async #change(request: BuildRequest, operation: RpmOstreeOperation): Promise<'changed' | 'unchanged'> {
    return new RpmOstree(this.#settings.runner).change(
      operation,
      { os: windowStateroot(parseGuestName(request.hostname)), lockFinalization: true },
      ({ text, percent }) => request.progress(percent === undefined ? text : `${text} ${percent}%`),
    );
  }

  /** The package sources for the seed that is staged, without links that would lead the host's daemon elsewhere. */
  async #configuration(request: BuildRequest, warnings: string[]): Promise<string> {
    const { runner, window } = this.#settings;
    const into = `${request.scratch}/etc`;
    const { directory } = await window.result();
    await makeConfiguration(runner, request, {
      tree: `${directory}/usr/etc`,
      names: RPM_CONFIGURATION,
      into,
    });
    const dropped = await dropOutwardLinks(into);
    if (dropped.length > 0) {
      warnings.push(
        `Links that lead to another directory are not used on the host: ${dropped.map((path) => `/etc/${path}`).join(', ')}.`,
      );
    }
    return into;
  }

  /** rpm-ostree tells only by layering again, and that needs the guard window. */
  checkUpgrades(): Promise<PackageChange[] | 'unknown'> {
    return Promise.resolve('unknown');
  }
}
