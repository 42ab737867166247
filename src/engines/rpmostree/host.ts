import { isDeepStrictEqual } from 'node:util';
import type { GuardWindow } from '../../guard/window.ts';
import { windowStateroot } from '../../guard/names.ts';
import type { Commit } from '../../model/names.ts';
import { parseGuestName } from '../../model/names.ts';
import type { Repo } from '../../system/ostree.ts';
import { RpmOstree } from '../../system/rpmostree.ts';
import type { Runner } from '../../system/run.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine, PackageChange } from '../engine.ts';

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

  /** Without packages the result is the base itself: it was brought up to date where it comes from. */
  async build(request: BuildRequest & BuildTarget): Promise<BuildResult> {
    const { pool, base, packages, ref, registry, progress } = request;
    const unchanged = async (commit: Commit): Promise<BuildResult> => {
      await pool.setRef(ref, commit);
      return { commit, unchanged: true, registry, warnings: [] };
    };
    if (packages.length === 0) return unchanged(base);
    const { runner, window, repo } = this.#settings;
    const outcome = await new RpmOstree(runner).change(
      { verb: 'install', packages },
      { os: windowStateroot(parseGuestName(request.hostname)), lockFinalization: true },
      ({ text, percent }) => progress(percent === undefined ? text : `${text} ${percent}%`),
    );
    // All of them are in the base already.
    if (outcome === 'unchanged') return unchanged(base);
    const { commit } = await window.result();
    await pool.pullLocal(repo, commit);
    const same = await this.#sameAsPrevious(request, commit);
    if (same !== undefined) return unchanged(same);
    await pool.setRef(ref, commit);
    return { commit, unchanged: false, registry, warnings: [] };
  }

  /**
   * rpm-ostree writes a new package database at each layering, so equal packages on an equal base never give an equal
   * tree. The tree that is replaced has its base as its parent, as layered commits have.
   */
  async #sameAsPrevious(request: BuildRequest & BuildTarget, fresh: Commit): Promise<Commit | undefined> {
    const { pool, previous, base } = request;
    if (previous === undefined) return undefined;
    const before = await pool.resolve(`${previous}^`);
    if (before === undefined || (await pool.contentChecksum(before)) !== (await pool.contentChecksum(base)))
      return undefined;
    const [old, now] = [await this.packages(pool, previous), await this.packages(pool, fresh)];
    return isDeepStrictEqual([...old].sort(), [...now].sort()) ? previous : undefined;
  }

  /** rpm-ostree tells only by layering again, and that needs the guard window. */
  checkUpgrades(): Promise<PackageChange[] | 'unknown'> {
    return Promise.resolve('unknown');
  }
}
