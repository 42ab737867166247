import { expect, test } from 'vitest';
import { planLayers } from '../../../src/engines/rpmostree/layers.ts';
import type { ReplacingRpm } from '../../../src/engines/engine.ts';
import { parseCommit, parsePackageName } from '../../../src/model/names.ts';
import { Repo } from '../../../src/system/ostree.ts';
import { packages } from '../plan/states.ts';

const BASE = new Map([
  ['nano', '7.2-1'],
  ['glibc', '2.41-1'],
]);
const rpm = { packages: () => Promise.resolve(BASE) };
const request = {
  pool: new Repo({ run: () => Promise.reject(new Error('no program is started here')) }, '/pool'),
  base: parseCommit('a'.repeat(64)),
};

function file(name: string): ReplacingRpm {
  const sha256 = 'b'.repeat(64);
  return { name: parsePackageName(name), nevra: `${name}-9-1.noarch`, sha256, path: `/srv/${name}.rpm` };
}

async function plan(
  removed: readonly string[],
  replaced: readonly string[],
  install: readonly string[],
): Promise<unknown[]> {
  const overrides = { removed: packages(...removed), replaced: replaced.map(file) };
  const work = await planLayers(rpm, { ...request, overrides }, install, ({ path }) => path);
  return [work.operations, work.warnings];
}

test('overrides come before packages, both kinds in one transaction', async () => {
  expect(await plan(['nano'], ['glibc'], ['vim'])).toEqual([
    [
      { verb: 'override-replace', files: ['/srv/glibc.rpm'], remove: ['nano'] },
      { verb: 'install', packages: ['vim'] },
    ],
    [],
  ]);
  expect(await plan(['nano'], [], [])).toEqual([[{ verb: 'override-remove', packages: ['nano'] }], []]);
  expect(await plan([], ['glibc'], [])).toMatchObject([[{ verb: 'override-replace', remove: [] }], []]);
});

test('those of packages that the base does not have wait, and it is said', async () => {
  expect(await plan(['emacs'], ['emacs-libs'], ['vim'])).toEqual([
    [{ verb: 'install', packages: ['vim'] }],
    ['The base does not have emacs, emacs-libs: the override is not in use.'],
  ]);
});

test('without overrides the base is not looked at, and without anything nothing is done', async () => {
  const blind = { packages: () => Promise.reject(new Error('not asked for')) };
  const work = await planLayers(blind, request, [], ({ path }) => path);
  expect(work).toEqual({ operations: [], files: [], warnings: [] });
});
