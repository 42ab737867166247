import type { EngineChoice } from '../model/engine.ts';
import type { Commit, PackageName } from '../model/names.ts';
import type { LocalRpm } from '../model/overrides.ts';
import type { Repo } from '../system/ostree.ts';
import type { IdRegistry } from '../tree/ids.ts';

/** A package file that replaces a package of the base. */
export interface ReplacingRpm extends LocalRpm {
  path: string;
}

/** What is to be changed on which tree, and where there is room for it. */
export interface BuildRequest {
  pool: Repo;
  /** The tree that packages are layered on. */
  base: Commit;
  /** The packages that were asked for; one that the base has already is no error. */
  packages: readonly PackageName[];
  /** What is removed from the base and replaced in it; engines that cannot do it are never asked to. */
  overrides?: { removed: readonly PackageName[]; replaced: readonly ReplacingRpm[] } | undefined;
  /** Fetch new package lists and bring every package of the tree to its newest version. */
  upgrade: boolean;
  /**
   * The guest's own etc directory, that of its deployment: what its administrator changed in package sources, keyrings
   * and options counts (configuration.ts), and ids of users that the administrator made there are not given to anybody
   * else. Absent for a new guest.
   */
  configuration?: string | undefined;
  /** The base below the layers of that deployment: what is in its tree and not in the base came with a layer. */
  formerBase?: Commit | undefined;
  /** User and group ids that this guest has ever had. */
  registry: IdRegistry;
  /** A directory on the same mount as the pool; emptied before and after. */
  scratch: string;
  /** Where downloaded archives and lists stay between builds. One per guest: its contents come from the guest's sources. */
  cache: string;
  /** What the build's machine is called: package scripts write it into configuration (postfix, exim). */
  hostname: string;
  /** Directories of the host that `file:` and `copy:` package sources name; shown read-only to the build. */
  archives?: readonly string[] | undefined;
  progress: (line: string) => void;
}

export interface BuildTarget {
  /** The ref that points at the result. */
  ref: string;
  subject: string;
  /**
   * The tree that the result is to replace. If it was made from the same base with the same packages in the same
   * versions, it is the result: some packages write random bytes when they are installed, and that is no news.
   */
  previous?: Commit | undefined;
}

export interface BuildResult {
  commit: Commit;
  /** It is the base or the previous tree: nothing was committed. */
  unchanged: boolean;
  /** Input of the guest's next build. */
  registry: IdRegistry;
  /** What the user should know, one sentence each. */
  warnings: string[];
}

/** A package that comes (no `from`), goes (no `to`) or changes its version. */
export interface PackageChange {
  package: string;
  from: string | undefined;
  to: string | undefined;
}

/** Adds packages to trees: the distribution's own package manager behind one small interface. */
export interface Engine {
  readonly name: Exclude<EngineChoice, 'auto'>;
  /** Whether it is taken for a tree that it detects when the definition names no engine. */
  readonly automatic: boolean;
  /** Whether this engine can layer on a tree. */
  detect(pool: Repo, tree: Commit): Promise<boolean>;
  build(request: BuildRequest & BuildTarget): Promise<BuildResult>;
  /** The packages of a tree with their versions. */
  packages(pool: Repo, tree: Commit): Promise<Map<string, string>>;
  /** Negative: `a` is older than `b`; zero: equal. */
  compareVersions(a: string, b: string): number;
  /**
   * What an upgrade of the tree would change, from fresh package lists. Builds and commits nothing. `unknown` where only
   * building tells.
   */
  checkUpgrades(request: Omit<BuildRequest, 'packages' | 'upgrade'>): Promise<PackageChange[] | 'unknown'>;
}
