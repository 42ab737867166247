import { afterAll, beforeAll, expect, test } from 'vitest';
import { guestree, markerBase, serveMarker, succeed } from '../crash/boundaries.ts';
import { startLab, type Lab } from './lab.ts';

/** Upgrades that nobody asks for, end to end: the real timer, with a time that the service is told. */
const CLOSED = '2026-11-28T01:00:00';
const OPEN = '2026-11-29T03:00:00';
const UNITS = '/etc/systemd/system';
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ suite: 'bookworm', bases: ['bookworm'], name: 'unattended' });
  await lab.installGuestree();
  await serveMarker(lab, ['1.0']);
  await succeed(lab, ['create', 'mail', ...(await markerBase(lab)), '--install', 'marker', '--start']);
  // Of the template only the coalescing of wake-ups is changed, so that the timer fires when it is due.
  await lab.writeFile(`${UNITS}/guestree-upgrade@.timer.d/test.conf`, '[Timer]\nAccuracySec=100ms\n');
});
afterAll(async () => {
  await lab.dispose();
});

interface Pending {
  current: number;
  pending: number | null;
  changes: { package: string; from?: string; to?: string }[];
  opens: string | null;
  hold: { path: string; reason: string } | null;
  timer: boolean;
  lastRun: { time: string; result: string; generation?: number } | null;
}

/** What `pending --json` says, at a time. */
async function pending(now: string): Promise<Pending> {
  const output = await lab.run(['guestree', 'pending', 'mail', '--json'], {
    check: false,
    env: { GUESTREE_NOW: now },
  });
  const { guests } = JSON.parse(output.stdout) as { guests: Pending[] };
  const [mail] = guests;
  if (mail === undefined) throw new Error('no guest');
  expect(output.exitCode).toBe(mail.pending === null ? 77 : 0);
  return mail;
}

/** How often the timer's service has ended, and with which sentence. */
async function runs(sentence: string): Promise<number> {
  const text = await lab.journal(['--unit=guestree-upgrade@mail.service', '--output=cat']);
  return text.split('\n').filter((line) => line.includes(sentence)).length;
}

/** Waits for something that only the timer brings about; the test's own time limit is the only one. */
async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 300));
}

/** The service believes that it is this time. */
async function tell(now: string): Promise<void> {
  await lab.writeFile(
    `${UNITS}/guestree-upgrade@mail.service.d/test.conf`,
    `[Service]\nEnvironment=GUESTREE_NOW=${now}\n`,
  );
  await lab.run(['systemctl', 'daemon-reload']);
}

const version = async (): Promise<string> =>
  (await succeed(lab, ['exec', 'mail', '--', 'cat', '/usr/share/marker/version'])).trim();

async function generations(): Promise<number[]> {
  const text = await succeed(lab, ['history', 'mail', '--json']);
  const { generations: all } = JSON.parse(text) as { generations: { generation: number }[] };
  return all.map(({ generation }) => generation);
}

const unattended = (now: string): ReturnType<Lab['run']> =>
  lab.run(['guestree', 'upgrade', '--unattended', 'mail'], {
    check: false,
    timeout: 300_000,
    env: { GUESTREE_NOW: now },
  });

test('the timer is the template’s, disabled, until the definition says other times', async () => {
  expect(await pending(CLOSED)).toMatchObject({ pending: null, timer: false, hold: null, opens: null });
  const definition = await lab.readFile('/etc/guestree/mail.guest');
  const schedule = '[Upgrade]\nWindow=Sun 02:00-05:00\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n';
  await lab.writeFile('/etc/guestree/mail.guest', `${definition}\n${schedule}`);
  await succeed(lab, ['recover']);
  const { stdout } = await lab.run([
    'systemctl',
    'show',
    '-p',
    'TimersCalendar',
    'guestree-upgrade@mail.timer',
  ]);
  expect(stdout).toContain('*-*-* *:*:00/2');
  expect(stdout).not.toContain('*-*-* *:00:00');
  const other = await lab.run(['systemctl', 'show', '-p', 'TimersCalendar', 'guestree-upgrade@web.timer']);
  expect(other.stdout).toContain('*-*-* *:00:00');
});

test('while the window is closed the timer builds once, and switches nothing', async () => {
  await serveMarker(lab, ['1.0', '2.0']);
  await tell(CLOSED);
  await lab.run(['systemctl', 'enable', '--now', 'guestree-upgrade@mail.timer']);
  await until(async () => (await runs('generation 2 waits; it is left for the next window')) >= 2);
  expect(await runs('generation 2 is ready')).toBe(1);
  expect(await generations()).toEqual([2, 1]);
  expect(await version()).toBe('1.0');
  const seen = await pending(CLOSED);
  expect(seen).toMatchObject({ current: 1, pending: 2, timer: true, opens: '2026-11-29T02:00:00.000Z' });
  expect(seen.changes).toEqual([{ package: 'marker', from: '1.0', to: '2.0' }]);
  expect(seen.lastRun).toMatchObject({ result: 'waiting', generation: 2 });
  const { stdout } = await lab.run(['systemctl', 'is-failed', 'guestree-upgrade@mail.service'], {
    check: false,
  });
  expect(stdout.trim()).not.toBe('failed');
});

test('a hold stops it in the open window as well, and says why', async () => {
  await lab.writeFile('/run/guestree/hold', 'The line is busy until Monday\nsigned: Alice\n');
  await tell(OPEN);
  await until(async () => (await pending(OPEN)).lastRun?.result === 'held');
  const before = await runs('held back');
  await until(async () => (await runs('held back')) > before + 1);
  expect(await pending(OPEN)).toMatchObject({
    ...{ current: 1, pending: 2, opens: null },
    hold: { path: '/run/guestree/hold', reason: 'The line is busy until Monday' },
  });
  expect(await version()).toBe('1.0');
});

test('without it, in the open window, the timer switches to what it built, once', async () => {
  await lab.run(['rm', '/run/guestree/hold']);
  await until(async () => (await runs('now on generation 2')) > 0);
  expect((await pending(OPEN)).current).toBe(2);
  expect(await version()).toBe('2.0');
  const before = await runs('nothing changed');
  await until(async () => (await runs('nothing changed')) > before + 1);
  expect(await runs('now on generation 2')).toBe(1);
  expect(await generations()).toEqual([2, 1]);
  await lab.run(['systemctl', 'stop', 'guestree-upgrade@mail.timer', 'guestree-upgrade@mail.service']);
});

test('what was staged by hand is switched to, and not built again', async () => {
  await serveMarker(lab, ['1.0', '2.0', '3.0']);
  await lab.writeFile('/etc/guestree/mail.hold', 'not this week\n');
  const staged = await guestree(lab, ['stage', 'mail']);
  expect(staged.exitCode, staged.stderr).toBe(0);
  expect(staged.stdout).toMatch(/generation 3 is ready/);
  expect((await guestree(lab, ['stage', 'mail'])).exitCode).toBe(77);
  const held = await unattended(OPEN);
  expect(held).toMatchObject({
    exitCode: 77,
    stdout: 'mail: held back: not this week (/etc/guestree/mail.hold)\n',
  });
  const byHand = await guestree(lab, ['upgrade', 'mail', '--no-switch']);
  expect(byHand.stderr).toMatch(/warning: mail: unattended upgrades are held back: not this week/);
  await lab.run(['rm', '/etc/guestree/mail.hold']);
  const switched = await unattended(OPEN);
  expect(switched.exitCode, switched.stderr).toBe(0);
  expect(switched.stderr).not.toMatch(/Build the tree/);
  expect(await version()).toBe('3.0');
  expect(await generations()).toEqual([3, 2, 1]);
});

test('a switch that failed leaves the old generation running, and is not tried again every hour', async () => {
  await serveMarker(lab, ['1.0', '2.0', '3.0', '4.0']);
  await succeed(lab, ['stage', 'mail']);
  const dropIn = `${UNITS}/systemd-nspawn@mail.service.d/90-test.conf`;
  const current = '/sysroot/ostree/guestree/guests/mail/current';
  await lab.writeFile(
    dropIn,
    `[Service]\nExecStartPre=/bin/sh -c 'readlink ${current} | grep -qvx generations/4'\n`,
  );
  await lab.run(['systemctl', 'daemon-reload']);
  const failed = await unattended(OPEN);
  expect(failed.exitCode, failed.stdout).not.toBe(0);
  expect(failed.exitCode).not.toBe(77);
  expect(await version()).toBe('3.0');
  expect((await pending(OPEN)).lastRun).toMatchObject({ result: 'failed' });
  const again = await unattended(OPEN);
  expect(again.exitCode, again.stderr).toBe(77);
  expect(again.stderr).not.toMatch(/Stop mail/);
  expect(await version()).toBe('3.0');
  await lab.run(['rm', dropIn]);
  await lab.run(['systemctl', 'daemon-reload']);
  await succeed(lab, ['upgrade', 'mail', '--retry']);
  expect(await version()).toBe('4.0');
});

test('times that systemd does not know are refused, and the timer stays as it was', async () => {
  const path = '/etc/guestree/mail.guest';
  const definition = await lab.readFile(path);
  await lab.writeFile(path, definition.replace('OnCalendar=*:*:0/2', 'OnCalendar=Zat 03:00'));
  const { exitCode, stderr } = await unattended(OPEN);
  expect(exitCode).toBe(3);
  expect(stderr).toMatch(/^guestree: mail: OnCalendar=Zat 03:00 of \[Upgrade\] is refused/m);
  await lab.writeFile(path, definition);
  expect((await unattended(OPEN)).exitCode).toBe(77);
});

test('a guest that is removed takes its timer along', async () => {
  await lab.run(['systemctl', 'start', 'guestree-upgrade@mail.timer']);
  // The timer fires every two seconds, and its run may hold the guest's lock.
  for (let tries = 0; tries < 30; tries++) {
    const { exitCode, stderr } = await guestree(lab, ['remove', 'mail', '--yes']);
    if (exitCode === 0) break;
    expect(exitCode, stderr).toBe(6);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const timers = await lab.run(['systemctl', 'list-timers', '--all', '--no-legend', 'guestree-upgrade@*']);
  expect(timers.stdout.trim()).toBe('');
  const left = await lab.run([
    'sh',
    '-c',
    `ls -d ${UNITS}/*/guestree-upgrade@mail* ${UNITS}/guestree-upgrade@mail.timer* /var/lib/systemd/timers/*mail* 2>/dev/null || true`,
  ]);
  expect(left.stdout).toBe('');
});
