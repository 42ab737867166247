import { parseCommit, type Commit } from '../model/names.ts';
import { CommandFailure, type Runner } from './run.ts';

export interface CommitFacts {
  parent: Commit | undefined;
  /**
   * Whether rpm-ostree made it on this machine by putting packages on another commit, which then is its parent
   * (rpmostree-util.cxx, rpmostree_deployment_get_layered_info()).
   */
  layered: boolean;
}

/** What a commit says of itself, or undefined if the repository does not have it. */
export async function inspectCommit(
  runner: Runner,
  repo: string,
  commit: Commit,
): Promise<CommitFacts | undefined> {
  const show = async (...options: string[]): Promise<string | undefined> => {
    try {
      return (await runner.run('ostree', [`--repo=${repo}`, 'show', ...options, commit])).stdout;
    } catch (error) {
      if (error instanceof CommandFailure && /No such metadata (?:object|key)/.test(error.result.stderr))
        return undefined;
      throw error;
    }
  };
  const text = await show();
  if (text === undefined) return undefined;
  const layer = await show('--print-metadata-key=rpmostree.clientlayer');
  return { parent: parseParent(text), layered: layer?.trim() === 'true' };
}

/** The parent in the text of `ostree show COMMIT`: only the second line, what follows can be the author's. */
export function parseParent(text: string): Commit | undefined {
  const found = /^commit [0-9a-f]{64}\nParent: +([0-9a-f]{64})\n/.exec(text)?.[1];
  return found === undefined ? undefined : parseCommit(found);
}
