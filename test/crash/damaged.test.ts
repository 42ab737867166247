import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import { guestree, markerBase, serveMarker, succeed } from './boundaries.ts';

/** Files of guestree that were spoiled from outside: what is wrong is said, and nothing is lost. */
const STATE = '/sysroot/ostree/guestree';
const BOX = `${STATE}/guests/box`;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ name: 'damaged', suite: 'bookworm', bases: ['bookworm'] });
  await lab.installGuestree();
  await serveMarker(lab, ['1.0']);
  await succeed(lab, ['create', 'box', ...(await markerBase(lab)), '--start']);
  await succeed(lab, ['install', 'box', 'marker']);
});
afterAll(async () => {
  await lab.dispose();
});

/** What a command says on standard error; it succeeds. */
async function told(...args: string[]): Promise<string> {
  const { exitCode, stderr } = await guestree(lab, args);
  expect(exitCode, `guestree ${args.join(' ')}\n${stderr}`).toBe(0);
  return stderr;
}

/** Everything that makes up the guest: files of its generations, deployments, refs. */
async function inventory(): Promise<string> {
  const script = `cd ${STATE}; find guests/box/generations guests/box/sysroot/ostree/deploy/box/deploy -maxdepth 1 | sort; ostree refs --repo=pool | sort; readlink guests/box/current`;
  return (await lab.run(['sh', '-c', script])).stdout;
}

async function expectRunning(version: string): Promise<void> {
  expect(
    await succeed(lab, ['exec', 'box', '--', 'sh', '-c', 'cat /usr/share/marker/version || echo none']),
  ).toBe(`${version}\n`);
}

test('a journal whose first line is cut off is kept under another name, and told', async () => {
  const before = await inventory();
  const text = JSON.stringify({
    version: 1,
    operation: 'install',
    guest: 'box',
    steps: [{ action: 'stop' }],
  });
  await lab.writeFile(`${STATE}/journal/box`, text.slice(0, 40));
  for (const reading of ['list', 'status']) expect(await told(reading)).toBe('');
  expect(await told('recover')).toMatch(
    /box: its journal was damaged.* it is kept as .*journal\/box\.damaged/,
  );
  expect(await lab.readFile(`${STATE}/journal/box.damaged`)).toBe(text.slice(0, 40));
  expect(await told('recover')).toBe('');
  expect(await inventory()).toBe(before);
  await expectRunning('1.0');
  await lab.run(['rm', `${STATE}/journal/box.damaged`]);
});

test('an event log of zeros is told, then kept under another name; rollback still finds its way', async () => {
  const before = await inventory();
  await lab.run(['sh', '-c', `head -c 500 /dev/zero >${BOX}/events`]);
  for (const reading of ['list', 'status'])
    expect(await told(reading)).toMatch(/box: .*events is damaged: 1 line/);
  expect(await told('recover')).toMatch(/box: the event log was damaged; it is kept as .*events\.damaged/);
  expect(await told('status')).toBe('');
  expect((await lab.run(['sh', '-c', `wc -c <${BOX}/events.damaged`])).stdout).toBe('500\n');
  expect(await inventory()).toBe(before);
  await succeed(lab, ['rollback', 'box', '1']);
  await expectRunning('none');
  await succeed(lab, ['rollback', 'box']);
  await expectRunning('1.0');
});

test('an empty record of a generation that is not current is told, and nothing of it is removed', async () => {
  const before = await inventory();
  const record = await lab.readFile(`${BOX}/generations/1/generation.json`);
  await lab.run(['truncate', '--size=0', `${BOX}/generations/1/generation.json`]);
  for (const command of ['list', 'status', 'recover'])
    expect(await told(command)).toMatch(/box: .*generations\/1\/generation\.json is damaged/);
  const cleanup = await guestree(lab, ['cleanup', 'box']);
  expect(cleanup.stderr).not.toMatch(/this is a bug/);
  expect(await inventory()).toBe(before);
  await expectRunning('1.0');
  await lab.writeFile(`${BOX}/generations/1/generation.json`, record);
  expect(await told('status')).toBe('');
  await succeed(lab, ['rollback', 'box', '1']);
  await expectRunning('none');
});
