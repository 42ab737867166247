import { lstat, opendir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import { renderGeneration, type Generation } from '../model/generation.ts';
import { parseDefinition } from '../model/definition.ts';
import type { GuestName } from '../model/names.ts';
import { hostInterface } from '../model/pair.ts';
import { baseRef, sharedLocks, treeRef } from '../model/paths.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories, replaceSymlink, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import { deploymentId, type Deployment } from '../system/ostree.ts';
import { mergeUserDatabases } from '../tree/users.ts';
import { replaceWithin } from '../tree/within.ts';
import { renderGenerationDropIn, renderNspawn } from '../units/nspawn.ts';
import { placesOf, sysrootOf, type Effects } from './effects.ts';
import type { Executor } from './executors.ts';
import { readCurrent, readGenerations } from './observe.ts';
import { claimPair } from './pairs.ts';
import { removeUnusedRpms } from './rpms.ts';

export const deploy: Executor<StepArguments['deploy']> = {
  async apply({ guest, generation, previous }, effects) {
    await removeUnrecorded(effects, guest);
    const mergedAt = effects.now();
    await makeDeployment(effects, guest, generation, previous);
    await writeFileAtomic(mergedAtPath(effects, guest), mergedAt.toISOString());
    return undefined;
  },
  async undo({ guest }, effects) {
    await rm(mergedAtPath(effects, guest), { force: true });
    if (await exists(placesOf(effects, guest).sysroot)) await removeUnrecorded(effects, guest);
  },
};

export const render: Executor<StepArguments['render']> = {
  async apply({ guest, generation, origin, requested, overrides, definition }, effects) {
    const deployment = await unrecorded(effects, guest);
    const tree = await effects.pool.require(treeRef(guest, generation));
    const record: Generation = {
      version: 1,
      guest,
      number: generation,
      createdAt: effects.now().toISOString(),
      createdBy: origin,
      definition,
      base: await effects.pool.require(baseRef(guest, generation)),
      tree,
      deployment: deploymentId(deployment),
      mergedAt: (await readFile(mergedAtPath(effects, guest), 'utf8')).trim(),
      requested,
      overrides,
      engine: await effects.layering.engineOf(tree, parseDefinition(guest, definition).engine),
    };
    await writeGeneration(effects, record);
    await rm(mergedAtPath(effects, guest), { force: true });
    return undefined;
  },
  async undo({ guest, generation }, effects) {
    await rm(generationPath(effects, guest, generation), { recursive: true, force: true });
  },
};

/**
 * A guest that runs goes on changing its /etc after the new deployment was made. If it did, the same tree is deployed
 * once more with what /etc holds now, and the generation, which was never used, moves to that deployment.
 */
export const mergeEtc: Executor<StepArguments['merge-etc']> = {
  async apply({ guest, generation, previous }, effects) {
    const records = await readGenerations(placesOf(effects, guest).generations);
    const from = records.find((each) => each.number === previous);
    const record = records.find((each) => each.number === generation);
    if (from === undefined || record === undefined)
      throw new Failure('not-found', 'a generation has no record', { guest });
    await removeUnrecorded(effects, guest);
    const sysroot = sysrootOf(effects, guest);
    const since = new Date(record.mergedAt).getTime();
    if (!(await changedSince(`${sysroot.directory(guest, from.deployment)}/etc`, since))) return undefined;
    const mergedAt = effects.now();
    const deployment = await makeDeployment(effects, guest, generation, previous);
    await writeGeneration(effects, {
      ...record,
      deployment,
      mergedAt: mergedAt.toISOString(),
    });
    await removeUnrecorded(effects, guest);
    return undefined;
  },
  async undo({ guest, generation }, effects) {
    // The record is written last: what was written before it may tell of a deployment that goes now.
    const records = await readGenerations(placesOf(effects, guest).generations);
    const record = records.find((each) => each.number === generation);
    if (record !== undefined) await writeGeneration(effects, record);
    await removeUnrecorded(effects, guest);
  },
};

export const retire: Executor<StepArguments['retire']> = {
  async apply({ guest, generation }, effects) {
    const places = placesOf(effects, guest);
    if ((await readCurrent(places.current)) === generation) {
      throw new Failure('conflict', `generation ${generation} is current and cannot be removed`, { guest });
    }
    await rm(generationPath(effects, guest, generation), { recursive: true, force: true });
    await rm(join(places.pins, String(generation)), { force: true });
    await removeUnrecorded(effects, guest);
    await effects.pool.deleteRef(treeRef(guest, generation));
    await effects.pool.deleteRef(baseRef(guest, generation));
    return undefined;
  },
};

export const prune: Executor<StepArguments['prune']> = {
  async apply({ guest }, effects) {
    if (guest !== undefined) {
      await sysrootOf(effects, guest).cleanup();
      await removeUnusedRpms(effects, guest);
    } else if (await exists(effects.pool.path)) {
      const release = await acquireLock(sharedLocks(effects.paths).pool, 'the pool', true);
      try {
        await effects.pool.prune();
      } finally {
        await release();
      }
    }
    return undefined;
  },
};

/** Deploys a generation's tree with /etc merged from the previous generation's deployment, pins and completes it. */
async function makeDeployment(
  effects: Effects,
  guest: GuestName,
  generation: number,
  previous: number | undefined,
): Promise<string> {
  const sysroot = sysrootOf(effects, guest);
  const records = await readGenerations(placesOf(effects, guest).generations);
  const from = records.find((each) => each.number === previous);
  if (from !== undefined) await sysroot.makeFirst(from.deployment);
  await sysroot.shareObjects(effects.pool.path);
  const made = await sysroot.deploy(guest, treeRef(guest, generation));
  const directory = sysroot.directory(guest, made);
  const old = from === undefined ? undefined : `${sysroot.directory(guest, from.deployment)}/usr/etc`;
  await mergeUserDatabases(directory, old);
  const id = await readFile(placesOf(effects, guest).machineId, 'utf8');
  // The guest's root user owns this /etc: nothing in it may be followed or opened, only replaced.
  const attributes = { mode: 0o444, uid: 0, gid: 0 };
  await replaceWithin(directory, 'etc/machine-id', id, { attributes, sync: true });
  return made;
}

/** Undeploys what belongs to no generation: of a step that was cut off or undone, or of a generation that was retired. */
async function removeUnrecorded(effects: Effects, guest: GuestName): Promise<void> {
  const sysroot = sysrootOf(effects, guest);
  await sysroot.forgetOrigin();
  const records = await readGenerations(placesOf(effects, guest).generations);
  const recorded = new Set(records.map((each) => each.deployment));
  while (await sysroot.hasOthers(guest, recorded)) {
    const [first] = (await sysroot.deployments()).filter((each) => !recorded.has(deploymentId(each)));
    // The directory of a deploy that was cut off before it was listed: only a cleanup knows that it is nobody's.
    if (first === undefined) {
      await sysroot.cleanup();
      return;
    }
    if (first.pinned) await sysroot.unpin(first.index);
    await sysroot.undeploy(first.index);
  }
}

/** The deployment that the deploy step made. */
export async function unrecorded(effects: Effects, guest: GuestName): Promise<Deployment> {
  const records = await readGenerations(placesOf(effects, guest).generations);
  const recorded = new Set(records.map((each) => each.deployment));
  const all = await sysrootOf(effects, guest).deployments();
  const made = all.find((each) => !recorded.has(deploymentId(each)));
  if (made === undefined)
    throw new Failure('failed', 'there is no new deployment to make a generation of', { guest });
  return made;
}

/** Writes every file of a generation; the record is the last, and a generation without it does not exist. */
async function writeGeneration(effects: Effects, record: Generation): Promise<void> {
  const { guest } = record;
  const directory = generationPath(effects, guest, record.number);
  const { paths } = effects;
  const sysroot = sysrootOf(effects, guest);
  const root = sysroot.directory(guest, record.deployment);
  const throughAlias = (path: string): string => `${paths.alias}${path.slice(paths.state.length)}`;
  const definition = parseDefinition(guest, record.definition);
  await makeDirectories(directory);
  await replaceSymlink(root, join(directory, 'root'));
  const pair = definition.listens.length === 0 ? undefined : await claimPair(effects, guest);
  const nspawn = renderNspawn({
    name: guest,
    generation: record.number,
    etc: throughAlias(`${root}/etc`),
    variable: throughAlias(sysroot.variable(guest)),
    network: definition.network,
    ports: definition.ports,
    link: pair === undefined ? undefined : hostInterface(pair, 'own'),
  });
  await writeFileAtomic(join(directory, `${guest}.nspawn`), nspawn);
  await writeFileAtomic(join(directory, 'unit.conf'), renderGenerationDropIn(guest, record.number));
  await writeFileAtomic(join(directory, 'generation.json'), renderGeneration(record));
  await syncDirectory(placesOf(effects, guest).generations);
}

/** Whether anything below a directory was changed, added or removed after a time (milliseconds since 1970). */
async function changedSince(directory: string, since: number): Promise<boolean> {
  if ((await lstat(directory)).ctimeMs > since) return true;
  for await (const entry of await opendir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() ? await changedSince(path, since) : (await lstat(path)).ctimeMs > since)
      return true;
  }
  return false;
}

function generationPath(effects: Effects, guest: GuestName, generation: number): string {
  return join(placesOf(effects, guest).generations, String(generation));
}

/** Carries the time of the merge from the deploy step to the render step, over a power cut as well. */
function mergedAtPath(effects: Effects, guest: GuestName): string {
  return join(placesOf(effects, guest).root, 'merged-at');
}
