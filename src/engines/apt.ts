import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import type { IdRegistry } from '../tree/ids.ts';
import { LAYOUT_VERSION, toTree } from '../tree/layout.ts';
import {
  applyRegistry,
  findOwnAccounts,
  readUserFiles,
  registerUsers,
  withdrawAccounts,
} from '../tree/users.ts';
import { readWithin, statWithin } from '../tree/within.ts';
import { parseSimulation } from './aptmessages.ts';
import { AptRoot, withMountPoints, withoutServices, type AptSettings } from './aptroot.ts';
import { settle, withBuildRoot, type BuildRoot } from './buildroot.ts';
import { compareDebianVersions } from './debversion.ts';
import { parseDpkgStatus } from './dpkgstatus.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine, PackageChange } from './engine.ts';

const STATUS = 'usr/lib/sysimage/dpkg/status';

/** Key of the commit metadata that says what a tree was made from. */
const INPUTS = 'guestree.inputs';

/** Layers Debian packages with the guest's own apt-get. */
export class AptEngine implements Engine {
  readonly name = 'apt';
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

  /**
   * base → build root → apt-get → commit. Without packages, and with ids and versions that are right already, the
   * result is the base itself.
   */
  async build(request: BuildRequest & BuildTarget): Promise<BuildResult> {
    const { pool, base, scratch, configuration } = request;
    return withBuildRoot(this.#settings.runner, { pool, tree: base, scratch }, async (root) => {
      const users = await readUserFiles(`${root.merged}/etc`);
      const own =
        configuration === undefined
          ? undefined
          : await findOwnAccounts(root.merged, request.registry, configuration);
      const known =
        configuration === undefined ? request.registry : await registerUsers(request.registry, configuration);
      const moved = await applyRegistry(root.merged, known);
      const before = await installed(root.merged);
      const warnings = await withMountPoints(root.merged, request.archives ?? [], () =>
        this.#install(root, request),
      );
      const after = await installed(root.merged);
      warnings.push(...removalWarnings(before, after, request));
      if (own !== undefined) await withdrawAccounts(root.merged, own);
      const registry = await registerUsers(request.registry, `${root.merged}/etc`);
      const idsChanged = moved || !isDeepStrictEqual(users, await readUserFiles(`${root.merged}/etc`));

      const inputs = await fingerprint(request, after, registry);
      const news = idsChanged || request.packages.length > 0 || !isDeepStrictEqual(before, after);
      const same = news ? await previousOf(request, inputs) : base;
      if (same !== undefined) {
        await pool.setRef(request.ref, same);
        return { commit: same, unchanged: true, registry, warnings };
      }
      warnings.push(...(await settle(this.#settings.runner, root)), ...(await toTree(root.lower)));
      return { commit: await commit(root, request, inputs), unchanged: false, registry, warnings };
    });
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

/** apt-get removes what conflicts with what was asked for; nobody should learn that from a missing service. */
function removalWarnings(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  request: BuildRequest,
): string[] {
  const gone = [...before.keys()].filter((name) => !after.has(name));
  if (gone.length === 0) return [];
  const why = request.upgrade ? 'the upgrade' : request.packages.join(', ');
  return [`Packages of the base were removed, because ${why} made it necessary: ${gone.join(', ')}.`];
}

/** What a tree was made from; the registry is part of it, because it decides on ids. */
async function fingerprint(
  request: BuildRequest,
  after: ReadonlyMap<string, string>,
  registry: IdRegistry,
): Promise<string> {
  const facts = {
    layout: LAYOUT_VERSION,
    base: await request.pool.contentChecksum(request.base),
    requested: request.packages,
    installed: [...after].sort(),
    registry,
  };
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

async function previousOf(request: BuildRequest & BuildTarget, inputs: string): Promise<Commit | undefined> {
  const { pool, previous } = request;
  return previous !== undefined && (await pool.metadata(previous, INPUTS)) === inputs ? previous : undefined;
}

async function commit(root: BuildRoot, request: BuildRequest & BuildTarget, inputs: string): Promise<Commit> {
  const { pool, base, ref, subject, packages } = request;
  return pool.commitDirectory({
    directory: root.lower,
    ref,
    subject,
    metadata: {
      'guestree.base': base,
      'guestree.packages': packages.join(' '),
      'guestree.engine': 'apt',
      [INPUTS]: inputs,
    },
  });
}
