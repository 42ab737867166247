import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab, type Output } from './lab.ts';

/** What the verbs promise beyond the main flow, each seen once on a real host. */
const STATE = '/sysroot/ostree/guestree';
let lab: Lab;
let tar: string;

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'verbs' });
  await lab.installGuestree();
  tar = `tar:${lab.baseTar('trixie')}`;
  for (const name of ['one', 'two']) await succeed('create', name, '--from', tar);
});
afterAll(async () => {
  await lab.dispose();
});

const guestree = async (...args: string[]): Promise<Output> =>
  lab.run(['guestree', ...args], { check: false, timeout: 300_000 });

async function succeed(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await guestree(...args);
  expect(exitCode, `guestree ${args.join(' ')}\n${stderr}`).toBe(0);
  return stdout;
}

interface Status {
  state: string;
  generation: number;
  pending?: number;
  requested: string[];
}

async function status(name: string): Promise<Status> {
  const { guests } = JSON.parse(await succeed('status', name, '--json')) as { guests: Status[] };
  const [first] = guests;
  if (first === undefined) throw new Error('no status');
  return first;
}

async function generations(name: string): Promise<number[]> {
  const text = await succeed('history', name, '--json');
  return (JSON.parse(text) as { generations: { generation: number }[] }).generations.map(
    (each) => each.generation,
  );
}

test('several guests at once; the error names the one that failed, and the others get their turn', async () => {
  const { exitCode, stderr } = await guestree('start', 'one', 'nobody', 'two');
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/^guestree: nobody: there is no guest "nobody"/m);
  expect((await status('one')).state).toBe('running');
  expect((await status('two')).state).toBe('running');
  expect(await succeed('list')).toMatch(/one +running +1 .*\n.*two +running +1 /);
});

test('--no-switch leaves a generation that waits, and restart takes it up', async () => {
  expect(await succeed('install', 'one', 'ed', '--no-switch')).toMatch(/generation 2 is ready/);
  expect(await status('one')).toMatchObject({ generation: 1, pending: 2, state: 'running' });
  expect((await guestree('exec', 'one', '--', 'ed', '--version')).exitCode).not.toBe(0);
  // What the guest writes to /etc while the generation waits is in it nevertheless.
  await succeed('exec', 'one', '--', 'sh', '-c', 'echo late > /etc/late');
  await succeed('restart', 'one');
  expect(await status('one')).toMatchObject({ generation: 2, requested: ['ed'] });
  expect(await succeed('exec', 'one', '--', 'sh', '-c', 'ed --version | head -1; cat /etc/late')).toMatch(
    /ed.*\nlate/,
  );
});

test('a layer is taken out again, and its package is gone', async () => {
  await succeed('uninstall', 'one', 'ed');
  expect(await status('one')).toMatchObject({ generation: 3, requested: [] });
  expect((await guestree('exec', 'one', '--', 'ed', '--version')).exitCode).not.toBe(0);
  expect(await succeed('diff', 'one', '2', '3')).toMatch(/^ {2}- ed /m);
});

test('cleanup keeps current, previous and pinned generations, and takes the rest', async () => {
  await succeed('install', 'one', 'ed');
  await succeed('pin', 'one', '1');
  await succeed('cleanup', 'one');
  expect(await generations('one')).toEqual([4, 3, 1]);
  await succeed('unpin', 'one', '1');
  await succeed('cleanup', 'one');
  expect(await generations('one')).toEqual([4, 3]);
  expect((await guestree('rollback', 'one', '1')).exitCode).toBe(4);
});

test('upgrade --all without anything new ends with 77 and makes no generation', async () => {
  const before = [await generations('one'), await generations('two')];
  const { exitCode, stdout, stderr } = await guestree('upgrade', '--all');
  expect(exitCode, stderr).toBe(77);
  expect(stdout).toMatch(/one: nothing changed\ntwo: nothing changed/);
  expect([await generations('one'), await generations('two')]).toEqual(before);
  expect((await guestree('upgrade', '--all', '--check')).exitCode).toBe(77);
});

test('logs shows the journal of a guest, running or not', async () => {
  await succeed('exec', 'two', '--', 'sh', '-c', 'echo a line for the journal | systemd-cat');
  await succeed('exec', 'two', '--', 'journalctl', '--sync');
  expect(await succeed('logs', 'two')).toContain('a line for the journal');
  await succeed('stop', 'two');
  expect(await succeed('logs', 'two')).toContain('a line for the journal');
});

test('--verbose shows commands that can be pasted, on standard error', async () => {
  const { stdout, stderr } = await guestree('status', 'two', '--verbose', '--json');
  expect(stderr).toMatch(/^\+ systemctl show /m);
  expect(JSON.parse(stdout)).toMatchObject({ version: 1 });
});

test('a guest from an OSTree ref of the host shares its files with the host repository', async () => {
  await lab.run(['ostree', `--repo=${STATE}/pool`, 'refs', '--list']);
  const ref = (
    await lab.run(['sh', '-c', `ostree refs --repo=${STATE}/pool | grep ^base/tar/`])
  ).stdout.trim();
  await succeed(
    'create',
    'three',
    '--from',
    `ostree:${ref}`,
    '--repo',
    `${STATE}/pool`,
    '--network',
    'none',
    '--start',
  );
  expect(await succeed('exec', 'three', '--', 'ls', '/sys/class/net')).toBe('lo\n');
});

test('remove --keep-data leaves /etc and /var, and nothing else', async () => {
  await succeed('exec', 'one', '--', 'sh', '-c', 'echo precious > /var/precious');
  const said = await succeed('remove', 'one', 'two', 'three', '--yes', '--keep-data');
  const kept = /one: removed; its data is in (\S+)/.exec(said)?.[1] ?? '';
  expect(await lab.readFile(`${kept}/var/precious`)).toBe('precious\n');
  expect(await lab.readFile(`${kept}/etc/late`)).toBe('late\n');
  expect(await succeed('list')).toMatch(/^No guests/);
  expect((await lab.run(['ls', `${STATE}/guests`])).stdout).toBe('');
  expect(
    (await lab.run(['sh', '-c', `ostree refs --repo=${STATE}/pool | grep -c ^guest/ || true`])).stdout,
  ).toBe('0\n');
});
