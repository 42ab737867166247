import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Commit } from '../../src/model/names.ts';
import { makeArchive, openWorkshop, type Workshop } from './layers.fixture.ts';

/**
 * A guest goes from one release of its distribution to the next: in each, the package aa has the release's number for a
 * version, and the base has the release's package source.
 */
let shop: Workshop;
let releases: { 1: Commit; 2: Commit };
let archives: string[];

beforeAll(async () => {
  shop = await openWorkshop('sources');
  const vendor = `${shop.directory}/vendor/archive`;
  const repository = {
    name: 'vendor-source',
    files: { 'etc/apt/sources.list.d/vendor.list': `deb [trusted=yes] copy:${vendor} ./\n` },
  };
  const first = makeArchive(`${shop.directory}/1`, [{ name: 'aa', version: '1.0' }, repository]);
  const second = makeArchive(`${shop.directory}/2`, [{ name: 'aa', version: '2.0' }, repository]);
  const others = makeArchive(`${shop.directory}/vendor`, [{ name: 'bb' }]);
  archives = [first, second, others].flatMap((each) => each.archives);
  releases = { 1: await release(1), 2: await release(2) };
});
afterAll(() => shop.remove());

/** The base with other package sources. */
async function release(number: 1 | 2): Promise<Commit> {
  const directory = `${shop.directory}/release-${number}`;
  shop.ostree('checkout', '-H', shop.base, directory);
  const apt = `${directory}/usr/etc/apt`;
  rmSync(`${apt}/sources.list.d`, { recursive: true, force: true });
  rmSync(`${apt}/sources.list`, { force: true });
  mkdirSync(`${apt}/sources.list.d`);
  writeFileSync(`${apt}/sources.list.d/base.list`, sourceOf(number));
  return shop.pool.commitDirectory({ directory, ref: `release/${number}`, subject: `release ${number}` });
}

function sourceOf(number: 1 | 2): string {
  return `deb [trusted=yes] copy:${shop.directory}/${number}/archive ./\n`;
}

/** The etc of a guest that was deployed from a tree, with the tree's pristine one beside it. */
function deployed(tree: Commit): string {
  const root = `${shop.newDirectory()}/deployment`;
  mkdirSync(`${root}/usr`, { recursive: true });
  shop.ostree('checkout', '--subpath=/usr/etc', '--force-copy', tree, `${root}/usr/etc`);
  execFileSync('cp', ['--archive', `${root}/usr/etc`, `${root}/etc`]);
  return `${root}/etc`;
}

async function build(
  configuration: string,
  packages: string[],
  base = releases[2],
): Promise<Map<string, string>> {
  const { commit } = await shop.build({ base, packages, configuration, formerBase: releases[1], archives });
  return shop.engine.packages(shop.pool, commit);
}

test('sources that nobody changed are those of the new release', async () => {
  expect((await build(deployed(releases[1]), ['aa'])).get('aa')).toBe('2.0');
});

test('sources that the administrator changed stay', async () => {
  const changed = deployed(releases[1]);
  appendFileSync(`${changed}/apt/sources.list.d/base.list`, '# kept back\n');
  expect((await build(changed, ['aa'])).get('aa')).toBe('1.0');
});

test('a source that the administrator added comes beside those of the new release', async () => {
  const added = deployed(releases[1]);
  writeFileSync(
    `${added}/apt/sources.list.d/own.list`,
    `deb [trusted=yes] copy:${shop.directory}/vendor/archive ./\n`,
  );
  const packages = await build(added, ['aa', 'bb']);
  expect([packages.get('aa'), packages.get('bb')]).toEqual(['2.0', '1.0']);
});

test('a source that the administrator removed stays away', async () => {
  const removed = deployed(releases[1]);
  rmSync(`${removed}/apt/sources.list.d/base.list`);
  await expect(build(removed, ['aa'])).rejects.toMatchObject({ reason: 'packages' });
});

// Fails at the moment (apt does not find the index of the layered source), and why is not known: `npm run test:long` has it.
const KNOWN_BROKEN = process.env['LONG_TESTS'] !== undefined;
if (KNOWN_BROKEN)
  test('what is layered from a source that is itself layered is found again', async () => {
    const { commit } = await shop.build({
      ...{ base: releases[1], packages: ['vendor-source'], archives },
      ...{ configuration: deployed(releases[1]), formerBase: releases[1] },
    });
    const packages = await build(deployed(commit), ['vendor-source', 'bb', 'aa']);
    expect([packages.get('aa'), packages.get('bb')]).toEqual(['2.0', '1.0']);
  });
