import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import type { Engine } from './engine.ts';

/** The engine that can layer on a tree. @throws Failure `unsupported` if none can */
export async function chooseEngine(engines: readonly Engine[], pool: Repo, tree: Commit): Promise<Engine> {
  for (const engine of engines) if (await engine.detect(pool, tree)) return engine;
  throw new Failure('unsupported', `nothing here can install packages into the tree ${tree.slice(0, 12)}`, {
    hint: `The tree needs one of these package managers and its database: ${engines.map((engine) => engine.name).join(', ')}.`,
  });
}
