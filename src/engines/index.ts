import type { EngineChoice } from '../model/engine.ts';
import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import type { Repo } from '../system/ostree.ts';
import type { Engine } from './engine.ts';

/** The engine that was chosen, or the first that can layer on a tree. @throws Failure `unsupported` if none can */
export async function chooseEngine(
  engines: readonly Engine[],
  choice: EngineChoice,
  pool: Repo,
  tree: Commit,
): Promise<Engine> {
  for (const engine of engines) {
    if ((choice === 'auto' ? engine.automatic : engine.name === choice) && (await engine.detect(pool, tree)))
      return engine;
  }
  if (choice !== 'auto') {
    throw new Failure(
      'unsupported',
      `the engine ${choice} cannot install packages into the tree ${tree.slice(0, 12)}`,
      {
        hint: 'Change Engine= in the guest’s definition; with auto the package manager of the tree is used.',
      },
    );
  }
  throw new Failure('unsupported', `nothing here can install packages into the tree ${tree.slice(0, 12)}`, {
    hint: `The tree needs one of these package managers and its database: ${engines.map((engine) => engine.name).join(', ')}.`,
  });
}
