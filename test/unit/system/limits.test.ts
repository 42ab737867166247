import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inotifyInstances, raiseInotifyLimit } from '../../../src/system/limits.ts';
import { temporaryDirectory } from '../directory.ts';

test.each([
  ['128', 1, '128'],
  ['128', 50, '1664'],
  ['1664', 3, '1664'],
  ['8192', 50, '8192'],
])('a limit of %s is enough for %i guests, or is raised: %s', async (before, guests, after) => {
  const path = join(await temporaryDirectory(), 'max_user_instances');
  await writeFile(path, `${before}\n`);
  await raiseInotifyLimit(guests, path);
  expect((await readFile(path, 'utf8')).trim()).toBe(after);
  expect(Number(after)).toBeGreaterThanOrEqual(inotifyInstances(guests));
});
