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
  const show = async (...options: string[]): Promise<string> =>
    (await runner.run('ostree', [`--repo=${repo}`, 'show', ...options, commit])).stdout;
  try {
    // Asked first, because it tells a missing commit from one without the key; a plain `show` would look for a file.
    const layer = await show('--print-metadata-key=rpmostree.clientlayer');
    return { parent: parseParent(await show()), layered: layer.trim() === 'true' };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (error.result.stderr.includes('No such metadata object')) return undefined;
    if (error.result.stderr.includes('No such metadata key'))
      return { parent: parseParent(await show()), layered: false };
    throw error;
  }
}

/** The parent in the text of `ostree show COMMIT`: only the second line, what follows can be the author's. */
export function parseParent(text: string): Commit | undefined {
  const found = /^commit [0-9a-f]{64}\nParent: +([0-9a-f]{64})\n/.exec(text)?.[1];
  return found === undefined ? undefined : parseCommit(found);
}
