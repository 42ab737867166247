import { afterAll, beforeAll, expect, test } from 'vitest';
import { STAND_IN } from '../rpm-ostree/lab.ts';
import { serveRpms } from '../rpm/serve.ts';
import type { HostFingerprint } from './fingerprint.ts';
import { startLab, type Lab, type Output } from './lab.ts';

/**
 * A guest whose tree has an rpm-ostree of its own (the stand-in of test/rpm-ostree), on a host that has an update of its
 * own staged all the time.
 */
const STATE = '/sysroot/ostree/guestree';
const TAR = '/var/tmp/labos.tar';
let lab: Lab;
let before: HostFingerprint;

beforeAll(async () => {
  lab = await startLab({ bases: ['labos'], rpms: true, name: 'rpmostree' });
  await lab.installGuestree();
  await serveRpms(lab, 1);
  await lab.copyIn(STAND_IN, '/var/tmp/added/usr/bin/rpm-ostree');
  const append = `cp ${lab.baseTar('labos')} ${TAR} && tar --append --file=${TAR} --owner=0 --group=0 --directory=/var/tmp/added ./usr/bin/rpm-ostree`;
  await lab.run(['sh', '-c', append]);
  await lab.stageHostUpdate();
  before = await lab.hostFingerprint();
  // What is in the host's /run/ostree at any time: one line for each state that it was in.
  await lab.run([
    ...['systemd-run', '--unit=watch', '--property=StandardOutput=file:/run/watched'],
    ...[
      'sh',
      '-c',
      'while :; do echo $(ls /run/ostree) $(sha256sum </run/ostree/staged-deployment); sleep 0.05; done',
    ],
  ]);
});
afterAll(async () => {
  await lab.dispose();
});

const guestree = async (...args: string[]): Promise<Output> =>
  lab.run(['guestree', ...args], { check: false, timeout: 300_000 });

async function succeed(...args: string[]): Promise<string> {
  const output = await guestree(...args);
  expect(output.exitCode, `guestree ${args.join(' ')}\n${output.stderr}`).toBe(0);
  return output.stdout;
}

const inside = async (...argv: string[]): Promise<string> => succeed('exec', 'web', '--', ...argv);

/** What the service of the package answers. */
async function greeting(): Promise<string> {
  const ask = "import socket; print(socket.create_connection(('127.0.0.1', 8080)).recv(999).decode())";
  await expect
    .poll(async () => (await guestree('exec', 'web', '--', 'python3', '-c', ask)).stdout, { timeout: 20_000 })
    .not.toBe('');
  return inside('python3', '-c', ask);
}

/** One key of the metadata of a generation's tree. */
async function metadata(generation: number, key: string): Promise<string> {
  const show = ['ostree', `--repo=${STATE}/pool`, 'show', `--print-metadata-key=${key}`];
  return (await lab.run([...show, `guest/web/${generation}/tree`])).stdout.trim();
}

/** What a build could leave behind. */
async function expectNothingLeft(): Promise<void> {
  const script = `ls -A ${STATE}/scratch; grep -F ${STATE}/scratch /proc/*/mountinfo | head -n 3; pgrep -af '[g]uestree-build'`;
  expect((await lab.run(['sh', '-c', script], { check: false })).stdout).toBe('');
}

test('a package is layered by the tree’s own rpm-ostree, and its service runs', async () => {
  await succeed('create', 'web', '--from', `tar:${TAR}`);
  expect(await succeed('status', 'web', '--json')).toContain('"rpm-ostree"');
  await succeed('install', 'web', 'hello');
  expect(await metadata(2, 'rpmostree.clientlayer')).toBe('true');
  expect(await metadata(2, 'rpmostree.packages')).toBe("['hello']");
  await expectNothingLeft();
  await succeed('start', 'web');
  // A file that a package has in /var is not part of what rpm-ostree makes; its directory is.
  expect(await inside('stat', '-c', '%U:%G %a', '/var/lib/hello')).toBe('hello:hello 750\n');
  await inside(
    'sh',
    '-c',
    'echo "from the guest" > /var/lib/hello/greeting; chown hello /var/lib/hello/greeting',
  );
  expect(await greeting()).toMatch(/^hello 1\.0, uid \d+, from the guest/);
});

test('an upgrade brings the newer package, and the next one finds nothing', async () => {
  await serveRpms(lab, 2);
  expect(await succeed('upgrade', 'web', '--check')).toMatch(/hello 1\.0-1 → 2\.0-1/);
  await succeed('upgrade', 'web');
  expect(await greeting()).toMatch(/^hello 2\.0, uid \d+, from the guest/);
  expect((await guestree('upgrade', 'web')).exitCode).toBe(77);
  await expectNothingLeft();
});

test('a package that is not to be had, and one whose script fails, are named', async () => {
  const unknown = await guestree('install', 'web', 'no-such-package');
  expect(unknown.stderr).toMatch(/do not have: no-such-package/);
  expect(unknown.exitCode).toBe(7);
  const broken = await guestree('install', 'web', 'shaky');
  expect(broken.stderr).toMatch(/script.*shaky/);
  expect(broken.exitCode).toBe(7);
  await expectNothingLeft();
});

test('a build that is killed leaves nothing running, and the next command cleans up', async () => {
  await lab.run(['systemd-run', '--unit=doomed', 'guestree', 'install', 'web', 'hello-libs']);
  const machine = ['pgrep', '-f', '[s]ystemd-nspawn.*guestree-layer'];
  await expect
    .poll(async () => (await lab.run(machine, { check: false })).stdout, { timeout: 60_000 })
    .not.toBe('');
  await lab.run(['systemctl', 'kill', '--kill-whom=all', '--signal=KILL', 'doomed']);
  await expect
    .poll(async () => (await lab.run(machine, { check: false })).stdout, { timeout: 10_000 })
    .toBe('');
  await succeed('recover');
  await expectNothingLeft();
  expect(await greeting()).toMatch(/^hello \d\.0, uid \d+, from the guest/);
});

test('of two packages one is taken away again', async () => {
  await succeed('install', 'web', 'hello-libs');
  await succeed('uninstall', 'web', 'hello');
  expect((await inside('rpm', '-qa')).split('\n').filter((line) => line.startsWith('hello'))).toEqual([
    expect.stringMatching(/^hello-libs-/),
  ]);
});

test('without layers the tree is the base again, and the host never saw anything of it', async () => {
  await succeed('uninstall', 'web', 'hello-libs');
  expect((await guestree('exec', 'web', '--', 'rpm', '-q', 'hello-libs')).exitCode).toBe(1);
  expect(await lab.hostFingerprint()).toEqual(before);
  const { stdout } = await lab.run(['sort', '-u', '/run/watched']);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  expect(
    (await lab.run(['journalctl', '--boot', '--grep=finalize-staged'], { check: false })).stdout,
  ).not.toMatch(/guestree/);
});
