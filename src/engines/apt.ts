import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import { readWithin, statWithin } from '../tree/within.ts';
import { parseSimulation } from './aptmessages.ts';
import { AptRoot, withoutServices, type AptSettings } from './aptroot.ts';
import { withBuildRoot, type BuildRoot } from './buildroot.ts';
import { compareDebianVersions } from './debversion.ts';
import { parseDpkgStatus } from './dpkgstatus.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine, PackageChange } from './engine.ts';
import { buildLayer } from './packagebuild.ts';

const STATUS = 'usr/lib/sysimage/dpkg/status';

/** Layers Debian packages with the guest's own apt-get. */
export class AptEngine implements Engine {
  readonly name = 'apt' as const;
  readonly automatic = true;
  readonly #settings: AptSettings;

  constructor(settings: AptSettings) {
    this.#settings = settings;
  }

  async detect(pool: Repo, tree: Commit): Promise<boolean> {
    return (await pool.has(tree, '/usr/bin/apt-get')) && (await pool.has(tree, `/${STATUS}`));
  }

  async packages(pool: Repo, tree: Commit): Promise<Map<string, string>> {
    const status = await pool.cat(tree, `/${STATUS}`);
    if (status !== undefined) return parseDpkgStatus(status);
    throw new Failure('unsupported', `the tree ${tree} has no package database of dpkg`, {
      hint: 'Packages can be listed and layered on Debian trees only.',
    });
  }

  compareVersions(a: string, b: string): number {
    return compareDebianVersions(a, b);
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
      const apt = await AptRoot.open(this.#settings, root, request);
      await apt.update(true);
      return parseSimulation(await apt.simulate(['dist-upgrade']));
    });
  }

  async #install(root: BuildRoot, request: BuildRequest): Promise<string[]> {
    const { packages, upgrade } = request;
    if (packages.length === 0 && !upgrade) return [];
    const apt = await AptRoot.open(this.#settings, root, request);
    if ((await statWithin(root.merged, 'var/lib/apt/extended_states')) === undefined)
      await apt.createVariable();
    const warnings = await apt.update(upgrade);
    // A version that was asked for may be older than the base's; apt-get would refuse it together with --yes.
    const allow = packages.some((name) => name.includes('=')) ? ['--allow-downgrades'] : [];
    const operation = [...allow, upgrade ? 'dist-upgrade' : 'install', '--', ...packages];
    await withoutServices(root.merged, () => apt.perform(operation));
    return warnings;
  }
}

async function installed(root: string): Promise<Map<string, string>> {
  return parseDpkgStatus((await readWithin(root, 'var/lib/dpkg/status')) ?? '');
}
