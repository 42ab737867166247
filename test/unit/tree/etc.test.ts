import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseMachineId, readMachineId } from '../../../src/tree/etc.ts';
import { temporaryDirectory } from '../directory.ts';

const ID = '0123456789abcdef0123456789abcdef';

test.each([
  [ID, ID],
  [`${ID}\n`, ID],
  ['', undefined],
  ['uninitialized\n', undefined],
  ['0'.repeat(32), undefined],
  [ID.toUpperCase(), undefined],
  [`${ID}0`, undefined],
  [`${ID}\n${ID}\n`, undefined],
])('the machine id %j is %s', (text, id) => {
  expect(parseMachineId(text)).toBe(id);
});

test('a machine id is read from a root, and never through a symlink out of it', async () => {
  const root = await temporaryDirectory();
  await mkdir(join(root, 'etc'));
  expect(await readMachineId(root)).toBeUndefined();
  await symlink('/etc/machine-id', join(root, 'etc/machine-id'));
  expect(await readMachineId(root)).toBeUndefined();
  await mkdir(join(root, 'other/etc'), { recursive: true });
  await writeFile(join(root, 'other/etc/machine-id'), `${ID}\n`);
  expect(await readMachineId(join(root, 'other'))).toBe(ID);
});
