import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Failure } from '../model/failure.ts';
import type { Commit, PackageName } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import { readRpmDatabase, RPM_DATABASE_FILE, RPM_DATABASES, versionsOf } from '../tree/rpmdb.ts';
import { withBuildRoot, type BuildRoot } from './buildroot.ts';
import { parseTransaction } from './dnfmessages.ts';
import { DNF_PROGRAMS, DnfRoot, hostHasDnf, type DnfSettings } from './dnfroot.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine, PackageChange } from './engine.ts';
import { buildLayer } from './packagebuild.ts';
import { compareRpmVersions } from './rpmversion.ts';

/** Layers RPM packages with the guest's own dnf, or with the host's on a tree that has none. */
export class DnfEngine implements Engine {
  readonly name = 'dnf' as const;
  readonly automatic = true;
  readonly #settings: DnfSettings;

  constructor(settings: DnfSettings) {
    this.#settings = settings;
  }

  async detect(pool: Repo, tree: Commit): Promise<boolean> {
    if ((await databaseOf(pool, tree)) === undefined) return false;
    for (const path of DNF_PROGRAMS) if (await pool.has(tree, `/${path}`)) return true;
    return hostHasDnf();
  }

  async packages(pool: Repo, tree: Commit): Promise<Map<string, string>> {
    const database = await databaseOf(pool, tree);
    if (database === undefined) {
      throw new Failure('unsupported', `the tree ${tree} has no rpm database that can be read`, {
        hint: `It is looked for at ${RPM_DATABASES.join(', ')}, as ${RPM_DATABASE_FILE}.`,
      });
    }
    const directory = await mkdtemp(`${tmpdir()}/guestree-rpm-`);
    try {
      await pool.checkoutPart(tree, `/${database}`, `${directory}/found`);
      return versionsOf((await readRpmDatabase(directory, 'found')) ?? []);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  compareVersions(a: string, b: string): number {
    return compareRpmVersions(a, b);
  }

  async build(request: BuildRequest & BuildTarget): Promise<BuildResult> {
    const manager = {
      name: this.name,
      installed,
      install: (root: BuildRoot) => this.#install(root, request),
    };
    return buildLayer(this.#settings.runner, manager, request);
  }

  async checkUpgrades(request: Omit<BuildRequest, 'packages' | 'upgrade'>): Promise<PackageChange[]> {
    const { pool, base, scratch } = request;
    return withBuildRoot(this.#settings.runner, { pool, tree: base, scratch }, async (root) => {
      const dnf = await DnfRoot.open(this.#settings, root, request);
      await dnf.update(true);
      return parseTransaction(await dnf.simulate(['upgrade']), await installed(root.merged));
    });
  }

  async #install(root: BuildRoot, request: BuildRequest): Promise<string[]> {
    const { packages, upgrade } = request;
    if (packages.length === 0 && !upgrade) return [];
    const dnf = await DnfRoot.open(this.#settings, root, request);
    const warnings = [...dnf.warnings(), ...(await dnf.update(upgrade))];
    if (upgrade) warnings.push(...(await dnf.perform(['upgrade'])));
    if (packages.length > 0) warnings.push(...(await dnf.perform(['install', ...packages.map(packageSpec)])));
    return warnings;
  }
}

/** `NAME[:ARCH][=VERSION]`, as it is asked for, in dnf's words: `NAME[-VERSION][.ARCH]` (dnf(8), "SPECIFYING PACKAGES"). */
export function packageSpec(name: PackageName): string {
  const [, bare = name, architecture, version] = /^([^:=]+)(?::([^=]+))?(?:=(.+))?$/.exec(name) ?? [];
  return `${bare}${version === undefined ? '' : `-${version}`}${architecture === undefined ? '' : `.${architecture}`}`;
}

async function installed(root: string): Promise<Map<string, string>> {
  return versionsOf((await readRpmDatabase(root)) ?? []);
}

/** The directory of a tree's rpm database. */
async function databaseOf(pool: Repo, tree: Commit): Promise<string | undefined> {
  for (const directory of RPM_DATABASES) {
    if (await pool.has(tree, `/${directory}/${RPM_DATABASE_FILE}`)) return directory;
  }
  return undefined;
}
