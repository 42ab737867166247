import { afterAll, beforeAll, expect, test } from 'vitest';
import { guestree, markerBase, serveMarker, succeed } from '../crash/boundaries.ts';
import { ask, installGreeter, visitDuring, type Seen } from '../ports/greeter.ts';
import { startLab, type Lab } from './lab.ts';

/** Strategy=blue-green: another instance serves while the guest itself is switched. */
let lab: Lab;
const targets = ['127.0.0.1:2525', '::1:2525'];

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'bluegreen' });
  await lab.installGuestree();
  await serveMarker(lab, ['1']);
  await succeed(lab, ['create', 'web', ...(await markerBase(lab)), '--listen', 'tcp:2525:25', '--start']);
  await installGreeter(lab, 'web', 25);
  const definition = await lab.readFile('/etc/guestree/web.guest');
  await lab.writeFile(
    '/etc/guestree/web.guest',
    `${definition}[Switch]\nStrategy=blue-green\nSharedVar=yes\nDrainSec=20s\n[Check greeter]\nTcp=25\n`,
  );
});
afterAll(async () => {
  await lab.dispose();
});

function expectAllServed(seen: Seen): void {
  expect(seen, JSON.stringify(seen)).toMatchObject({ refused: 0, early: 0, late: 0, served: seen.total });
  expect(seen.total).toBeGreaterThan(50);
}

/** One machine, its ports, and nothing of the instance beside it. */
async function expectAlone(): Promise<void> {
  const { stdout } = await lab.run([
    'sh',
    '-c',
    'machinectl list --no-legend; ls /run/machines /run/systemd/nspawn/*.nspawn /run/guestree/ports 2>/dev/null; ip -brief link',
  ]);
  expect(stdout).toMatch(/^web +container/m);
  expect(stdout).not.toMatch(/web-next|-next@/);
  expect((await ask(lab, '::1', 2525))[0]).toBe('220 web');
}

const pid = async (): Promise<string> =>
  (await lab.run(['systemctl', 'show', '-P', 'MainPID', 'systemd-nspawn@web.service'])).stdout.trim();

test('a switch is not noticed by any client, and the guest has its own name again afterwards', async () => {
  const before = await pid();
  const plain = await visitDuring(lab, targets, async () => {
    await lab.run(['sh', '-c', 'systemctl restart systemd-nspawn@web && systemctl start guestree-ports@web']);
  });
  expect(await pid()).not.toBe(before);
  const seen = await visitDuring(lab, targets, async () => {
    expect(await succeed(lab, ['install', 'web', 'marker'])).toMatch(
      /now on generation 2, unavailable for 0\.00 s/,
    );
  });
  console.log(
    `blue-green: ${seen.total} connections, longest wait ${seen.longestWait.toFixed(0)} ms, ` +
      `longest time between greetings ${seen.gap.toFixed(0)} ms; over a restart ${plain.gap.toFixed(0)} ms`,
  );
  expectAllServed(seen);
  expect(seen.gap).toBeLessThan(plain.gap / 3);
  expect(await succeed(lab, ['exec', 'web', '--', 'cat', '/usr/share/marker/version'])).toBe('1\n');
  await expectAlone();
});

test('a connection that lasts is carried to its end, on both sides of the move', async () => {
  const slow = ask(lab, '127.0.0.1', 2525, 'SLOW');
  await new Promise((resolve) => setTimeout(resolve, 500));
  await succeed(lab, ['rollback', 'web']);
  expect(await slow).toEqual(['220 web', '250 ok', '221 bye']);
  await expectAlone();
});

test('killed before each step, it serves on, and the next command leaves one instance of the old or the new', async () => {
  const steps = (await succeed(lab, ['rollback', 'web', '--dry-run']))
    .split('\n')
    .filter((line) => /^\d+\. /.test(line));
  const seen = await visitDuring(lab, targets, async () => {
    for (let point = 0; point < steps.length; point++) {
      expect((await guestree(lab, ['rollback', 'web'], `before:${point}`)).exitCode).not.toBe(0);
      await succeed(lab, ['recover']);
      await expectAlone();
    }
  });
  expectAllServed(seen);
});

test('a generation that is not healthy beside the guest never gets a connection', async () => {
  await lab.run(['sh', '-c', "sed -i 's/^Tcp=25/Tcp=26\\nRetries=1/' /etc/guestree/web.guest"]);
  const before = await pid();
  const seen = await visitDuring(lab, targets, async () => {
    const output = await guestree(lab, ['install', 'web', 'marker=1']);
    expect(output.exitCode, output.stderr).toBe(10);
    expect(output.stderr).toContain('The running guest was not touched.');
  });
  expectAllServed(seen);
  expect(await pid()).toBe(before);
  await expectAlone();
});
