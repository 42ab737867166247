import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startLab, type Lab, type Output } from './lab.ts';

/** Bad input and a bad world: a clear error with the next command, and nothing left behind. */
const STATE = '/sysroot/ostree/guestree';
let lab: Lab;
let tar: string;
let before: string;

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'errors' });
  await lab.installGuestree();
  tar = `tar:${lab.baseTar('trixie')}`;
  await lab.run(['guestree', 'create', 'web', '--from', tar], { timeout: 300_000 });
});
afterAll(async () => {
  await lab.dispose();
});

const guestree = async (...args: string[]): Promise<Output> =>
  lab.run(['guestree', ...args], { check: false, timeout: 300_000 });

/** Everything that a failed command could leave: guests, links, definitions, refs, journals, scratch, mounts. */
async function leftovers(): Promise<string> {
  const script = [
    `find ${STATE} -maxdepth 4 -not -path '*/repo/*' -not -path '*/pool/*' -not -path '*/cache*' | sort`,
    'ls -A /etc/guestree /etc/systemd/nspawn /etc/systemd/system /var/lib/machines /run/systemd/system',
    `ostree refs --repo=${STATE}/pool | grep -v ^base/ | sort`,
    "grep -c '' /proc/mounts",
    'machinectl list --no-legend | cut -d" " -f1',
  ].join('; ');
  return (await lab.run(['sh', '-c', script])).stdout;
}

beforeEach(async () => {
  before = await leftovers();
});

async function refused(args: readonly string[], code: number, why: RegExp): Promise<void> {
  const { exitCode, stderr } = await guestree(...args);
  expect.soft(stderr, args.join(' ')).toMatch(why);
  // Message on the first line, the next command on an indented one.
  expect.soft(stderr, args.join(' ')).toMatch(/^guestree: .+\n(.*\n)* {2}\S/m);
  expect.soft(exitCode, `${args.join(' ')}\n${stderr}`).toBe(code);
  expect.soft(await leftovers(), args.join(' ')).toBe(before);
}

test('names and values that could reach a path, an option or a rendered file are refused', async () => {
  for (const name of ['../web', '.', 'Web', 'a b', 'a\nb', 'a%b', '-x/', 'x'.repeat(65)]) {
    await refused(['create', '--from', tar, '--', name], 3, /is not a guest name/);
  }
  for (const name of ['-y', 'a b', 'postfix\n', '../x', 'x-', '--option=x']) {
    await refused(['install', 'web', '--', name], 3, /is not a package name/);
  }
  await refused(['create', 'new', '--from', 'debian:../x'], 3, /is not a Debian suite/);
  await refused(['create', 'new', '--from', tar, '--network', 'zone:a\nb'], 3, /is not a network/);
  await refused(['create', 'new', '--from', tar, '--port', 'tcp:0:25'], 3, /is not a port/);
  await refused(
    ['create', 'new', '--from', tar, '--network', 'host', '--port', 'tcp:25'],
    3,
    /cannot be published/,
  );
});

test('what is not there is said with what is', async () => {
  await refused(['start', 'nobody'], 4, /there is no guest "nobody"\n.*web/s);
  await refused(['rollback', 'web'], 4, /no earlier generation/);
  await refused(['rollback', 'web', '9'], 4, /no generation 9/);
  await refused(['uninstall', 'web', 'postfix'], 4, /not layered: postfix/);
  await refused(['create', 'new', '--from', 'tar:/nowhere.tar'], 4, /nowhere/);
  await refused(['create', 'new', '--from', 'dir:/nowhere'], 4, /nowhere/);
  await refused(['create', 'new', '--from', 'ostree:no/such/ref'], 4, /no\/such\/ref/);
  await refused(['create', 'web', '--from', tar], 5, /exists already/);
});

test('a package or a suite that does not exist leaves the guest as it was', async () => {
  await refused(['install', 'web', 'no-such-package-anywhere'], 7, /no-such-package-anywhere/);
  await refused(
    ['create', 'new', '--from', tar, '--install', 'no-such-package-anywhere'],
    7,
    /no-such-package/,
  );
  await refused(['create', 'new', '--from', 'debian:nosuchsuite'], 4, /nosuchsuite/);
});

test('archives that are garbage, cut, or of another architecture are refused', async () => {
  await lab.writeFile('/var/tmp/garbage.tar', 'this is no archive');
  await lab.run(['sh', '-c', `head -c 20000000 ${lab.baseTar('trixie')} > /var/tmp/cut.tar`]);
  await refused(['create', 'new', '--from', 'tar:/var/tmp/garbage.tar'], 3, /cannot be unpacked/);
  await refused(['create', 'new', '--from', 'tar:/var/tmp/cut.tar'], 3, /cannot be unpacked/);
  await lab.run(['mkdir', '-p', '/var/tmp/empty']);
  await refused(['create', 'new', '--from', 'dir:/var/tmp/empty'], 3, /./);
  // A tree whose programs are of another machine: byte 18 of an ELF file is the architecture (elf(5)).
  const foreign = '/var/tmp/foreign';
  await lab.run(['sh', '-c', `mkdir ${foreign} && tar -xf ${lab.baseTar('trixie')} -C ${foreign}`], {
    timeout: 120_000,
  });
  const patch = `for f in usr/lib/systemd/systemd usr/bin/dash usr/bin/bash; do printf '\\267' | dd of=${foreign}/$f bs=1 seek=18 conv=notrunc status=none; done`;
  await lab.run(['sh', '-c', patch]);
  await refused(['create', 'new', '--from', `dir:${foreign}`], 71, /architecture|aarch64|arm64/);
  await lab.run(['rm', '-rf', foreign]);
});

test('without network, root, a program or space the reason is said and nothing stays', async () => {
  await lab.run(['networkctl', 'down', 'uplink0']);
  try {
    const offline = await guestree('install', 'web', 'postfix');
    expect(offline.exitCode, offline.stderr).toBe(75);
    expect(await leftovers()).toBe(before);
  } finally {
    await lab.run(['networkctl', 'up', 'uplink0']);
  }
  const user = await lab.run(['setpriv', '--reuid=65534', '--clear-groups', 'guestree', 'list'], {
    check: false,
  });
  expect(user.exitCode).toBe(76);
  expect(user.stderr).toMatch(/must be run as root\n.*sudo guestree list/);

  const hide = 'mount --bind /dev/null /usr/bin/flock 2>/dev/null; exec guestree stop web';
  expect((await lab.run(['unshare', '--mount', 'sh', '-c', hide], { check: false })).exitCode).not.toBe(0);

  await lab.run(['sh', '-c', 'mkdir -p /var/tmp/small && mount -t tmpfs -o size=60M tmpfs /var/tmp/small']);
  try {
    const small = await lab.run(['guestree', 'create', 'new', '--from', tar], {
      check: false,
      timeout: 300_000,
      env: { GUESTREE_STATE: '/var/tmp/small/state' },
    });
    expect(small.exitCode, small.stderr).toBe(74);
    expect(small.stderr).toMatch(/[Nn]o space/);
    const left = await lab.run([
      'sh',
      '-c',
      'ls -A /var/tmp/small/state/guests /var/tmp/small/state/scratch /var/tmp/small/state/journal; ls /etc/guestree',
    ]);
    expect(left.stdout).not.toMatch(/new/);
  } finally {
    await lab.run(['umount', '/var/tmp/small']);
  }
});

test('two commands on one guest: the second is refused and told to wait', async () => {
  const first = lab.run(['guestree', 'install', 'web', 'ed', '--no-switch'], { timeout: 300_000 });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const second = await guestree('install', 'web', 'nano');
  expect(second.exitCode, second.stderr).toBe(6);
  expect(second.stderr).toMatch(/another guestree command is working on the guest "web"/);
  expect((await first).exitCode).toBe(0);
});

test('exec passes arguments and the exit code on, --dry-run changes nothing, --json has a version', async () => {
  await lab.run(['guestree', 'start', 'web']);
  expect((await guestree('exec', 'web', '--', 'sh', '-c', 'exit 42')).exitCode).toBe(42);
  expect((await guestree('exec', 'web', '--', 'echo', '$HOME', '%n', 'a  b', '--help')).stdout).toBe(
    '$HOME %n a  b --help\n',
  );
  const same = await leftovers();
  for (const args of [
    ['install', 'web', 'nano'],
    ['upgrade', 'web'],
    ['cleanup'],
    ['remove', 'web'],
    ['stop', 'web'],
    ['create', 'x', '--from', tar],
  ]) {
    const { exitCode, stderr } = await guestree(...args, '--dry-run');
    expect.soft([0, 77], `${args.join(' ')}\n${stderr}`).toContain(exitCode);
  }
  expect(await leftovers()).toBe(same);
  for (const args of [['list'], ['status'], ['history', 'web'], ['diff', 'web']]) {
    const { stdout } = await guestree(...args, '--json');
    expect.soft(JSON.parse(stdout)).toMatchObject({ version: 1 });
  }
});
