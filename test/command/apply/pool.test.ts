import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { prune } from '../../../src/apply/deployment.ts';
import { sharingPool } from '../../../src/apply/effects.ts';
import { Repo } from '../../../src/system/ostree.ts';
import { effectsIn } from '../../unit/apply/effects.ts';
import { temporaryDirectory } from '../../unit/directory.ts';

test('nothing is deleted from the pool while somebody makes a commit in it, and several may make one', async () => {
  const directory = await temporaryDirectory();
  const told: string[] = [];
  const ostree = {
    run: (_program: string, args: readonly string[]) => {
      told.push(args[1] ?? '');
      return Promise.resolve({ exitCode: 0, stdout: '', stderr: '' });
    },
  };
  const plain = effectsIn(directory);
  const effects = {
    ...plain,
    paths: { ...plain.paths, locks: join(directory, 'lock') },
    pool: new Repo(ostree, plain.pool.path),
  };
  await mkdir(effects.pool.path, { recursive: true });
  let pruned: Promise<unknown> = Promise.resolve();
  await sharingPool(effects, async () => {
    await sharingPool(effects, () => Promise.resolve(told.push('two at once')));
    pruned = prune.apply({ guest: undefined }, effects, { rebooted: false });
    await sleep(300);
    told.push('committed');
  });
  await pruned;
  expect(told).toEqual(['two at once', 'committed', 'prune']);
});
