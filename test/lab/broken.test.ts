import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { MESSAGE_IDS } from '../../src/apply/messages.ts';
import {
  addRepository,
  awaitMail,
  hostAddress,
  installedVersion,
  publishNewer,
  sendMail,
} from '../mail/mail.ts';
import { startLab, type Lab, type Output } from './lab.ts';

/** Updates that would take the mail service down. None does: each is stopped at the preflight, or rolled back. */
// Most of it is waiting: for a guest that never gets ready, and for a service that dies late.
vi.setConfig({ testTimeout: 600_000 });

let lab: Lab;
let address: string;
let good: string;
let suffix = 0;

const guestree = (...args: string[]): Promise<Output> =>
  lab.run(['guestree', ...args], { check: false, timeout: 280_000 });

async function succeed(...args: string[]): Promise<string> {
  const output = await guestree(...args);
  expect(output.exitCode, `guestree ${args.join(' ')}\n${output.stderr}`).toBe(0);
  return output.stdout;
}

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'broken' });
  await lab.installGuestree();
  await succeed('create', 'mail', '--from', `tar:${lab.baseTar('trixie')}`, '--port', 'tcp:2525:25');
  const definition = await lab.readFile('/etc/guestree/mail.guest');
  const more = [
    '[Switch]',
    'PreflightTimeoutSec=20s',
    'HealthTimeoutSec=20s',
    'SettleSec=40s',
    '[Check smtp]',
    'Tcp=25',
    'Preflight=yes',
    'IntervalSec=1s',
    '[Check queue]',
    'Exec=postqueue -p',
    'Wanted=yes',
  ];
  await lab.writeFile('/etc/guestree/mail.guest', `${definition}\n${more.join('\n')}\n`);
  await succeed('install', 'mail', 'postfix');
  await succeed('start', 'mail');
  await succeed('exec', 'mail', '--', 'useradd', '--create-home', 'alice');
  address = await hostAddress(lab);
  await lab.copyIn(new URL('../mail/prober.mjs', import.meta.url).pathname, '/var/tmp/prober.mjs');
  await publishNewer(lab, 'postfix', '+lab0');
  await addRepository(lab, 'mail');
  good = await installedVersion(lab, 'mail', 'postfix');
  await sendMail(lab, address, 2525, 'alice@localhost', 'before');
  await awaitMail(lab, 'mail', 'alice', 'before');
});
afterAll(async () => {
  await lab.dispose();
});

interface Status {
  generation: number;
  running: number;
  failures: { generation: number; phase: string; why: string }[];
}

async function status(): Promise<Status> {
  const { guests } = JSON.parse(await succeed('status', 'mail', '--json')) as { guests: Status[] };
  const [found] = guests;
  if (found === undefined) throw new Error('there is no guest');
  return found;
}

/** Greetings of the mail server while something is done: how many failed, and for how long in one piece, in ms. */
async function probed(
  work: () => Promise<void>,
): Promise<{ asked: number; failed: number; longest: number }> {
  await lab.run(['sh', '-c', 'rm -f /var/tmp/greetings']);
  await lab.run([
    ...['systemd-run', '--unit=prober', '--collect', 'node', '/var/tmp/prober.mjs'],
    ...[address, '2525', '/var/tmp/greetings'],
  ]);
  try {
    await work();
  } finally {
    await lab.run(['systemctl', 'stop', 'prober'], { check: false });
  }
  const lines = (await lab.readFile('/var/tmp/greetings')).trim().split('\n');
  let longest = 0;
  let since: number | undefined;
  for (const line of lines) {
    const at = Number(line.split(' ')[0]);
    if (line.endsWith(' ok')) {
      if (since !== undefined) longest = Math.max(longest, at - since);
      since = undefined;
    } else since ??= at;
  }
  return { asked: lines.length, failed: lines.filter((line) => !line.endsWith(' ok')).length, longest };
}

async function entries(id: string): Promise<Record<string, string>[]> {
  const stdout = await lab.journal([`MESSAGE_ID=${id}`, '--output=json']);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, string>);
}

const PREFLIGHT_FAILED = MESSAGE_IDS['preflight-failed'];
const ROLLED_BACK = MESSAGE_IDS['rolled-back'];

/** What a bad update's package does to the system when it is configured. */
const FAULTS = {
  'a bad configuration': `postconf -e 'inet_interfaces = no-such-interface.invalid'`,
  'a unit that never gets ready': [
    `printf '[Service]\\nType=notify\\nTimeoutStartSec=infinity\\nExecStart=sleep infinity\\n' > /usr/lib/systemd/system/never.service`,
    'mkdir -p /usr/lib/systemd/system/multi-user.target.wants',
    'ln -sf ../never.service /usr/lib/systemd/system/multi-user.target.wants/',
  ].join('; '),
  'an init that dies': `rm /usr/lib/systemd/systemd; printf '#!/bin/sh\\nexit 1\\n' > /usr/lib/systemd/systemd; chmod 755 /usr/lib/systemd/systemd`,
  'a service that dies after 20 s': [
    `printf '[Unit]\\nAfter=postfix.service\\n[Service]\\nExecStart=sh -c "sleep 20; postfix stop"\\n' > /usr/lib/systemd/system/late.service`,
    'mkdir -p /usr/lib/systemd/system/multi-user.target.wants',
    'ln -sf ../late.service /usr/lib/systemd/system/multi-user.target.wants/',
  ].join('; '),
} as const;

async function publish(fault: keyof typeof FAULTS): Promise<string> {
  suffix++;
  return publishNewer(lab, 'postfix', `+lab${suffix}`, FAULTS[fault]);
}

async function expectUnharmed(before: Status): Promise<void> {
  const now = await status();
  expect(now).toMatchObject({ generation: before.generation, running: before.running });
  expect(await installedVersion(lab, 'mail', 'postfix')).toBe(good);
  const left = await lab.run([
    'sh',
    '-c',
    'machinectl list --no-legend; ls -A /sysroot/ostree/guestree/scratch',
  ]);
  expect(left.stdout.trim().split(/\s+/)[0]).toBe('mail');
  expect(left.stdout).not.toMatch(/preflight/);
}

/** Nothing newer was published: the tree is in quarantine and is not even built again. */
async function expectNotRetried(): Promise<void> {
  const again = await guestree('upgrade', 'mail');
  expect(again.exitCode).toBe(77);
  expect(again.stderr).toMatch(/nothing is newer than generation \d+, which failed: .*--retry/);
  expect(again.stderr).not.toContain('Build the tree');
}

let before: Status;
beforeEach(async () => {
  before = await status();
});

test.each([
  ['a bad configuration', /the unit postfix.* failed/],
  ['a unit that never gets ready', /it was not ready in time/],
  ['an init that dies', /it ended before it was ready/],
] as const)('%s is stopped at the preflight, and the mail service never notices', async (fault, why) => {
  await publish(fault);
  const probes = await probed(async () => {
    const output = await guestree('upgrade', 'mail');
    expect(output.exitCode, output.stderr).toBe(10);
    expect(output.stderr).toMatch(why);
    expect(output.stderr).toContain('The running guest was not touched.');
  });
  console.log(`${fault}: ${probes.asked} greetings, ${probes.failed} failed`);
  expect(probes.asked).toBeGreaterThan(10);
  expect(probes.failed).toBe(0);
  await expectUnharmed(before);
  const { failures } = await status();
  expect(failures.at(-1)).toMatchObject({ phase: 'preflight', why: expect.stringMatching(why) as string });
  expect(await entries(PREFLIGHT_FAILED)).not.toEqual([]);
  expect((await entries(PREFLIGHT_FAILED)).at(-1)).toMatchObject({
    GUESTREE_GUEST: 'mail',
    GUESTREE_GENERATION: String(failures.at(-1)?.generation),
  });
  await expectNotRetried();
});

test.each([
  ['an init that dies', 'start', /did not start: it ended before it was ready/],
  ['a bad configuration', 'health', /the unit postfix.* failed/],
] as const)('%s is rolled back after a switch without a preflight', async (fault, phase, why) => {
  await publish(fault);
  const probes = await probed(async () => {
    const output = await guestree('upgrade', 'mail', '--no-preflight');
    expect(output.exitCode, output.stderr).toBe(phase === 'start' ? 9 : 10);
    expect(output.stderr).toMatch(/unavailable for [0-9.]+ s/);
    await sendMail(lab, address, 2525, 'alice@localhost', `after ${fault}`);
  });
  console.log(`${fault}: unavailable for ${probes.longest} ms`);
  await expectUnharmed(before);
  await awaitMail(lab, 'mail', 'alice', `after ${fault}`);
  const { failures } = await status();
  expect(failures.at(-1)).toMatchObject({ phase, why: expect.stringMatching(why) as string });
  expect((await entries(ROLLED_BACK)).at(-1)).toMatchObject({ GUESTREE_GUEST: 'mail' });
  await expectNotRetried();
});

test('a service that dies after 20 s passes the preflight and is rolled back while its checks are watched', async () => {
  await publish('a service that dies after 20 s');
  const output = await guestree('upgrade', 'mail');
  expect(output.exitCode, output.stderr).toBe(10);
  expect(output.stderr).toMatch(/the check "smtp" failed: .*ECONNREFUSED/);
  await expectUnharmed(before);
  await sendMail(lab, address, 2525, 'alice@localhost', 'after the late one');
  await awaitMail(lab, 'mail', 'alice', 'after the late one');
  expect((await status()).failures.at(-1)).toMatchObject({ phase: 'health' });
  await expectNotRetried();
  const text = await succeed('status', 'mail');
  expect(text).toMatch(/FAILED: +generation \d+ in health/);
  const history = await succeed('history', 'mail', '--long');
  expect(history).toMatch(/health failed in upgrade: the check "smtp" failed/);
  expect(history).toMatch(/preflight passed \(1 check, /);
  expect(history).toMatch(/^ +~ postfix \S+ → \S+\+lab\d/m);
});

test('what failed is shown until it was seen, is tried again on demand, and a good update goes through', async () => {
  await succeed('quarantine', 'mail', '--seen');
  expect(await succeed('status', 'mail')).not.toContain('FAILED');
  const retried = await guestree('upgrade', 'mail', '--retry', '--no-preflight');
  expect(retried.exitCode, retried.stderr).toBe(10);
  await lab.run(['sed', '-i', 's/^SettleSec=.*/SettleSec=1s/', '/etc/guestree/mail.guest']);
  suffix++;
  const newer = await publishNewer(lab, 'postfix', `+lab${suffix}`);
  expect(await succeed('upgrade', 'mail')).toMatch(/now on generation \d+, unavailable for/);
  expect(await installedVersion(lab, 'mail', 'postfix')).toBe(newer);
  expect((await status()).failures).toEqual([]);
  await sendMail(lab, address, 2525, 'alice@localhost', 'after all');
  await awaitMail(lab, 'mail', 'alice', 'after all');
});
