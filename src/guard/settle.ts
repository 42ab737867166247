import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../model/failure.ts';
import { RpmOstree } from '../system/rpmostree.ts';
import type { Runner } from '../system/run.ts';

const TRIES = 240;
const INTERVAL_MS = 500;

/**
 * Waits until no transaction of the host's rpm-ostree is under way. Its daemon goes on with one when the client that
 * asked for it was killed, and would stage its result after the window was closed; so it is cancelled first.
 */
export async function settleRpmOstree(runner: Runner): Promise<void> {
  const client = new RpmOstree(runner);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (!(await isBusy(client))) return;
    if (attempt === 0) await runner.run('rpm-ostree', ['cancel'], { allow: 'any' });
    await sleep(INTERVAL_MS);
  }
  throw new Failure('locked', 'a transaction of the host’s rpm-ostree does not end', {
    hint: 'See it with: rpm-ostree status. Then run: guestree recover',
  });
}

/**
 * Refuses while a transaction is under way, and where another program drives the host's updates and holds one back: it
 * would look for its own staged deployment meanwhile.
 * @throws Failure `locked` or `conflict`; `missing-program` without rpm-ostree
 */
export async function requireReady(runner: Runner, stagedLocked: boolean): Promise<void> {
  const { transaction, driven } = await new RpmOstree(runner).status();
  if (transaction !== undefined) {
    throw new Failure('locked', `the host's rpm-ostree is busy: ${transaction}`, {
      hint: 'Wait until it has finished (rpm-ostree status shows it), then run the same command again.',
    });
  }
  if (driven && stagedLocked) {
    throw new Failure(
      'conflict',
      'the host has a locked update of its own that another program is about to finish',
      {
        hint: 'Let it finish (rpm-ostree status names the driver), then run the same command again.',
      },
    );
  }
}

async function isBusy(client: RpmOstree): Promise<boolean> {
  try {
    return (await client.status()).transaction !== undefined;
  } catch (error) {
    // Without the program, or with a daemon that does not answer, nothing is under way.
    if (error instanceof Failure) return false;
    throw error;
  }
}
