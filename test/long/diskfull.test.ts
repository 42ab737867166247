import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import { countSteps, guestree, markerBase, serveMarker, succeed } from '../crash/boundaries.ts';
import { bringScripts, fillUp, makeSpace, stopBefore, type Ended } from '../crash/full/stopped.ts';
import {
  bringScripts as bringFacts,
  currentOf,
  generationOf,
  readFacts,
  type GuestFacts,
} from '../crash/random/facts.ts';
import { findUnsound } from '../crash/random/judge.ts';

/** A host whose /var, with the state directory in it, is a small file system of its own. */
const STATE = '/var/lib/guestree';
let lab: Lab;
let newest = 1;

beforeAll(async () => {
  lab = await startLab({ name: 'full', ostree: false, separateVar: 700, bases: ['trixie'] });
  await lab.installGuestree();
  await bringScripts(lab);
  await bringFacts(lab);
  await serveMarker(lab, ['1.0']);
  await succeed(lab, ['create', 'box', ...(await markerBase(lab)), '--start']);
});
afterEach(async () => {
  await makeSpace(lab, '/var');
});
afterAll(async () => {
  await lab.dispose();
});

async function box(): Promise<GuestFacts> {
  const found = (await readFacts(lab, STATE)).guests['box'];
  if (found === undefined) throw new Error('the guest is gone');
  return found;
}

/** The tree that runs. */
async function running(): Promise<string> {
  return (await box()).running?.version ?? 'it does not run';
}

/** It went well, or it failed as it should and the old tree runs on; whatever is current is whole. */
async function expectUnharmed(point: string, ended: Ended, old: string): Promise<void> {
  expect.soft(ended.stderr, point).not.toMatch(/this is a bug/);
  const now = await box();
  const current = generationOf(now, currentOf(now));
  expect.soft(current?.whole, `${point}\n${ended.stderr}`).toBe(true);
  expect
    .soft(now.running?.version, `${point}\n${ended.stderr}`)
    .toBe(ended.exitCode === 0 ? current?.version : old);
  if (ended.exitCode === 0) return;
  expect.soft(ended.exitCode, `${point}\n${ended.stderr}`).toBe(74);
  expect.soft(ended.stderr, point).toMatch(/^guestree: .*no space left on the device/m);
  expect.soft(ended.stderr, point).toMatch(/^ {2}Make space/m);
}

async function expectSound(point: string): Promise<void> {
  expect(findUnsound(await readFacts(lab, STATE), STATE), point).toEqual([]);
}

/** Fills the disk before each step of an operation, and before its start. `goBack` takes back what it did in the end. `first` leaves out earlier steps. */
async function fillBeforeEachStep(
  args: readonly string[],
  wanted: () => string,
  goBack: () => Promise<void>,
  first = -1,
): Promise<void> {
  const steps = await countSteps(lab, args);
  const failed: number[] = [];
  for (let step = first; step < steps; step++) {
    const point = `${args.join(' ')}, full before step ${step}`;
    const old = await running();
    let ended: Ended;
    if (step < 0) {
      await fillUp(lab, '/var');
      ended = await guestree(lab, args);
    } else {
      const stopped = await stopBefore(lab, step, args);
      // So that the changes in /etc are merged once more, after the guest was stopped: that takes space.
      await lab.writeFile(`${STATE}/guests/box/current/root/etc/changed`, `${point}\n`);
      await fillUp(lab, '/var');
      ended = await stopped.resume();
    }
    if (ended.exitCode !== 0) failed.push(step);
    await expectUnharmed(point, ended, old);
    await makeSpace(lab, '/var');
    await succeed(lab, args, [0, 77]);
    expect(await running(), `${point}\n${ended.stderr}`).toBe(wanted());
    await expectSound(point);
    await goBack();
  }
  console.log(`${args.join(' ')}: ${steps} steps; failed with the disk full before: ${failed.join(', ')}`);
  expect(failed.length).toBeGreaterThan(0);
}

const back = async (): Promise<void> => {
  await succeed(lab, ['rollback', 'box']);
  await succeed(lab, ['cleanup', 'box']);
};

test('install on a disk that is full from any step on: the old generation runs, and a second try succeeds', async () => {
  await fillBeforeEachStep(['install', 'box', 'marker'], () => '1.0/none', back);
  await succeed(lab, ['install', 'box', 'marker']);
});

test('upgrade on a disk that is full from any step on: the old generation runs, and a second try succeeds', async () => {
  const args = ['upgrade', 'box'];
  const publish = async (): Promise<void> => {
    newest += 1;
    await serveMarker(lab, [`${newest}.0`]);
  };
  await publish();
  // Building was tried with install.
  const steps = (await succeed(lab, [...args, '--dry-run'])).split('\n');
  const first = steps.findIndex((line) => line.includes('Keep generation'));
  expect(first).toBeGreaterThan(0);
  await fillBeforeEachStep(args, () => `${newest}.0/none`, publish, first);
});

test('rollback on a disk that is full from any step on: the old generation runs, and a second try succeeds', async () => {
  const now = await box();
  const target = Math.min(
    ...Object.keys(now.generations)
      .map(Number)
      .filter((each) => each !== currentOf(now)),
  );
  await fillBeforeEachStep(
    ['rollback', 'box', String(target)],
    () => generationOf(now, target)?.version ?? '',
    async () => {
      await succeed(lab, ['rollback', 'box', String(currentOf(now))]);
    },
  );
});

test('a state directory that becomes read-only in the middle: the old generation runs, and a second try succeeds', async () => {
  const args = ['install', 'box', 'marker'];
  await succeed(lab, ['uninstall', 'box', 'marker'], [0, 4]);
  const steps = (await succeed(lab, [...args, '--dry-run'])).split('\n');
  for (const sentence of [/Deploy/, /current/]) {
    const old = await running();
    const step = steps.findIndex((line) => sentence.test(line));
    const stopped = await stopBefore(lab, step, args);
    // Of its own mount alone: the guest has files open for writing.
    await lab.run([
      'nsenter',
      `--target=${stopped.pid}`,
      '--mount',
      'mount',
      '-o',
      'remount,bind,ro',
      '/var',
    ]);
    const ended = await stopped.resume();
    expect(ended.exitCode, ended.stderr).toBe(74);
    expect(ended.stderr).toMatch(/read-only file system/);
    expect(await running(), ended.stderr).toBe(old);
    await succeed(lab, args);
    expect(await running()).toBe(`${newest}.0/none`);
    await expectSound(sentence.source);
    await back();
  }
});

test('afterwards the repositories are sound', async () => {
  for (const repo of ['pool', 'guests/box/sysroot/ostree/repo'])
    await lab.run(['ostree', 'fsck', '--quiet', `--repo=${STATE}/${repo}`], { timeout: 300_000 });
});
