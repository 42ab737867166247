import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Commit } from '../model/names.ts';
import type { Runner } from '../system/run.ts';
import type { IdRegistry } from '../tree/ids.ts';
import { LAYOUT_VERSION, toTree } from '../tree/layout.ts';
import {
  applyRegistry,
  findOwnAccounts,
  readUserFiles,
  registerUsers,
  withdrawAccounts,
} from '../tree/users.ts';
import { settle, withBuildRoot, type BuildRoot } from './buildroot.ts';
import type { BuildRequest, BuildResult, BuildTarget, Engine } from './engine.ts';
import { withMountPoints } from './mountpoints.ts';

/** What differs between the distributions' package managers when a layer is built. */
export interface PackageManager {
  name: Engine['name'];
  /** The packages of a root file system, name → version. */
  installed(root: string): Promise<Map<string, string>>;
  /** Installs what was asked for and, with `upgrade`, brings everything up to date. Returns warnings. */
  install(root: BuildRoot, request: BuildRequest): Promise<string[]>;
}

/** Key of the commit metadata that says what a tree was made from. */
const INPUTS = 'guestree.inputs';

/**
 * base → build root → package manager → commit. Without packages, and with ids and versions that are right already, the
 * result is the base itself.
 */
export async function buildLayer(
  runner: Runner,
  manager: PackageManager,
  request: BuildRequest & BuildTarget,
): Promise<BuildResult> {
  const { pool, base, scratch, configuration } = request;
  return withBuildRoot(runner, { pool, tree: base, scratch }, async (root) => {
    const users = await readUserFiles(`${root.merged}/etc`);
    const own =
      configuration === undefined
        ? undefined
        : await findOwnAccounts(root.merged, request.registry, configuration);
    const known =
      configuration === undefined ? request.registry : await registerUsers(request.registry, configuration);
    const moved = await applyRegistry(root.merged, known);
    const before = await manager.installed(root.merged);
    const warnings = await withMountPoints(root.merged, request.archives ?? [], () =>
      manager.install(root, request),
    );
    const after = await manager.installed(root.merged);
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
    warnings.push(...(await settle(runner, root)), ...(await toTree(root.lower)));
    return {
      commit: await commit(root, request, manager.name, inputs),
      unchanged: false,
      registry,
      warnings,
    };
  });
}

/** A package manager removes what conflicts with what was asked for; nobody should learn that from a missing service. */
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

async function commit(
  root: BuildRoot,
  request: BuildRequest & BuildTarget,
  engine: string,
  inputs: string,
): Promise<Commit> {
  const { pool, base, ref, subject, packages } = request;
  return pool.commitDirectory({
    directory: root.lower,
    ref,
    subject,
    metadata: {
      'guestree.base': base,
      'guestree.packages': packages.join(' '),
      'guestree.engine': engine,
      [INPUTS]: inputs,
    },
  });
}
