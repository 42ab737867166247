import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from './lab.ts';

/** What runs is never pulled away, and root in a guest cannot change its tree or the host. */
const STATE = '/sysroot/ostree/guestree';
const SYSROOT = `${STATE}/guests/web/sysroot`;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'whole' });
  await lab.installGuestree();
  await lab.run(['guestree', 'create', 'web', '--from', `tar:${lab.baseTar('trixie')}`, '--start'], {
    timeout: 300_000,
  });
});
afterAll(async () => {
  await lab.dispose();
});

const inGuest = async (script: string): Promise<{ exitCode: number; stdout: string; stderr: string }> =>
  lab.run(['guestree', 'exec', 'web', '--', 'sh', '-c', script], { check: false });

/** Checksums of every file below the deployment that the guest runs from, but its own /etc. */
async function treeSum(): Promise<string> {
  const script = `cd -P ${STATE}/guests/web/current/root && find . -path ./etc -prune -o -printf '%p %m %U %G %y\\n' | sort | sha256sum; find . -path ./etc -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum`;
  return (await lab.run(['sh', '-c', script], { timeout: 300_000 })).stdout;
}

async function expectSound(): Promise<void> {
  for (const repo of [`${STATE}/pool`, `${SYSROOT}/ostree/repo`, '/ostree/repo']) {
    await lab.run(['ostree', 'fsck', '--quiet', `--repo=${repo}`], { timeout: 300_000 });
  }
}

test('no cleanup of the host or of guestree takes anything from a running guest', async () => {
  const before = await treeSum();
  await lab.run(['ostree', 'admin', 'cleanup']);
  await lab.run(['ostree', 'prune', '--repo=/ostree/repo', '--refs-only']);
  await lab.run(['ostree', 'prune', `--repo=${STATE}/pool`, '--refs-only', '--depth=0']);
  await lab.run(['ostree', 'admin', 'cleanup', `--sysroot=${SYSROOT}`]);
  await lab.run(['guestree', 'cleanup']);
  await lab.run(['guestree', 'cleanup', 'web', '--keep', '1']);
  expect(await treeSum()).toBe(before);
  await expectSound();
});

test('root in a guest can write /etc and /var, and nothing else', async () => {
  const before = await treeSum();
  const attempts = [
    'touch /usr/x',
    'touch /x',
    'echo x > /usr/bin/true',
    'rm -f /usr/bin/true',
    'rm -rf /usr/share/doc',
    'chown 1:1 /usr/bin/true',
    'chmod 777 /usr/bin/true',
    'mount -o remount,rw /',
    'mount -o remount,bind,rw /',
    'mkdir /sysroot/x',
    'mknod /var/tmp/disk b 254 0',
  ];
  for (const attempt of attempts) {
    const { exitCode } = await inGuest(attempt);
    expect.soft(exitCode, attempt).not.toBe(0);
  }
  // Mounting over something is the guest's own affair: it is not seen outside and changes no file.
  await inGuest('mount -t tmpfs none /usr/share && touch /usr/share/x; umount /usr/share');
  expect((await inGuest('touch /etc/x /var/x && rm /etc/x /var/x')).exitCode).toBe(0);
  expect(await treeSum()).toBe(before);
  await expectSound();
});

test('root in a guest is nobody on the host, and does not see its files', async () => {
  const { stdout } = await inGuest('cat /proc/self/uid_map');
  expect(stdout.trim().split(/\s+/)[1]).not.toBe('0');
  await lab.writeFile('/var/tmp/secret', 'of the host', 0o600);
  for (const path of ['/var/tmp/secret', '/run/guestree', STATE, '/proc/1/root/../../var/tmp/secret']) {
    expect((await inGuest(`test -e ${path}`)).exitCode, path).not.toBe(0);
  }
  await inGuest('echo kept > /var/owned');
  const { stdout: owner } = await lab.run(['stat', '-c', '%u', `${SYSROOT}/ostree/deploy/web/var/owned`]);
  expect(owner.trim()).toBe('0');
});

test('a quick restart never finds its own name taken', async () => {
  for (let round = 0; round < 3; round++)
    await lab.run(['systemctl', 'restart', 'systemd-nspawn@web.service'], { timeout: 120_000 });
  await lab.run(['guestree', 'restart', 'web'], { timeout: 120_000 });
  expect((await inGuest('systemctl is-system-running --wait')).stdout.trim()).toBe('running');
});
