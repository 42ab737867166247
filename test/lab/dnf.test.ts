import { afterAll, beforeAll, expect, test } from 'vitest';
import { RPM_ORDER } from '../rpm/order.ts';
import { serveRpms, stopServing } from '../rpm/serve.ts';
import { startLab, type Lab, type Output } from './lab.ts';

/** A guest of an RPM distribution through its life, with the dnf that is in its own tree. */
const STATE = '/sysroot/ostree/guestree';
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ bases: ['labos'], rpms: true, name: 'dnf' });
  await lab.installGuestree();
  await serveRpms(lab, 1);
  // From an OSTree repository: looking whether it has something new costs next to nothing.
  const [root, repo] = ['/var/tmp/labos', '/var/tmp/labos-repo'];
  await lab.run(['mkdir', root]);
  await lab.run(['tar', '-xf', lab.baseTar('labos'), '-C', root], { timeout: 120_000 });
  await lab.run(['ostree', `--repo=${repo}`, 'init', '--mode=bare']);
  await lab.run(['ostree', `--repo=${repo}`, 'commit', '--branch=labos', '--consume', `--tree=dir=${root}`], {
    timeout: 120_000,
  });
  await succeed('create', 'greeter', '--from', 'ostree:labos', '--repo', repo);
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

const inside = async (...argv: string[]): Promise<string> => succeed('exec', 'greeter', '--', ...argv);

/** What the service answers on its TCP port. */
async function greeting(): Promise<string> {
  const ask = "import socket; print(socket.create_connection(('127.0.0.1', 8080)).recv(999).decode())";
  for (let tries = 0; ; tries++) {
    const { exitCode, stdout, stderr } = await guestree('exec', 'greeter', '--', 'python3', '-c', ask);
    if (exitCode === 0) return stdout.trim();
    if (tries === 20) throw new Error(stderr);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Everything that a failed command could leave. */
async function leftovers(): Promise<string> {
  const script = [
    `find ${STATE} -maxdepth 4 -not -path '*/repo/*' -not -path '*/pool/*' -not -path '*/cache*' | sort`,
    `ostree refs --repo=${STATE}/pool | sort`,
    "grep -c '' /proc/mounts",
    'ls /tmp',
  ].join('; ');
  return (await lab.run(['sh', '-c', script])).stdout;
}

let uid: string;

test('a package is installed with its dependency, its user, its data and its service', async () => {
  await succeed('install', 'greeter', 'hello');
  await succeed('start', 'greeter');
  uid = (await inside('id', '-u', 'hello')).trim();
  expect(await greeting()).toBe(`hello 1.0, uid ${uid}, a greeting from 1.0`);
  expect((await inside('rpm', '-qa')).split('\n').sort()).toEqual(
    expect.arrayContaining([
      'hello-1.0-1.noarch',
      'hello-libs-1.0-1.noarch',
      'labos-base-1-1.x86_64',
      'labos-release-1-1.noarch',
    ]),
  );
  // The service has written its %ghost file, and files of a tree have no time.
  const verify = ['rpm', '--verify', '--nomtime', '--noghost', 'hello', 'hello-libs'];
  expect((await guestree('exec', 'greeter', '--', ...verify)).stdout).toBe('');
  expect(await inside('stat', '-c', '%U:%G %a', '/var/lib/hello', '/var/spool/hello')).toBe(
    'hello:hello 750\nroot:hello 770\n',
  );
  // dnf can be asked in the guest, as the hints say.
  expect(await inside('dnf', '--cacheonly', '--disablerepo=*', '--quiet', 'list', 'installed')).toMatch(
    /^hello\.noarch +1\.0-1 /m,
  );
  const status: unknown = JSON.parse(await succeed('status', 'greeter', '--json'));
  expect(JSON.stringify(status)).toContain('"dnf"');
});

test('what is changed in the guest outlives an upgrade, which a second one does not repeat', async () => {
  await inside('sh', '-c', 'echo "written by its owner" > /var/lib/hello/greeting');
  await inside('useradd', '--system', 'local');
  await serveRpms(lab, 2);
  expect(await succeed('upgrade', 'greeter', '--check')).toMatch(
    / {2}~ hello 1\.0-1 → 2\.0-1\n {2}~ hello-libs 1\.0-1 → 2\.0-1/,
  );
  expect(await succeed('upgrade', 'greeter')).toMatch(/now on generation 3, unavailable for [0-9.]+ s/);
  expect(await greeting()).toBe(`hello 2.0, uid ${uid}, written by its owner`);
  expect(await inside('id', '-u', 'local')).toMatch(/^\d+\n$/);
  const again = await guestree('upgrade', 'greeter');
  expect(again.exitCode, again.stderr).toBe(77);
  expect(await succeed('diff', 'greeter')).toMatch(
    /Packages, generation 2 → 3:\n {2}~ hello 1\.0-1 → 2\.0-1\n {2}~ hello-libs 1\.0-1 → 2\.0-1\n/,
  );
});

test('a rollback brings back the old program with the data as they are', async () => {
  await succeed('rollback', 'greeter');
  expect(await greeting()).toBe(`hello 1.0, uid ${uid}, written by its owner`);
  await succeed('rollback', 'greeter', '3');
  expect(await greeting()).toBe(`hello 2.0, uid ${uid}, written by its owner`);
});

test('what cannot be installed is said in plain words, and nothing is left behind', async () => {
  const before = await leftovers();
  const cases: readonly (readonly [name: string, why: RegExp])[] = [
    ['no-such-package', /there is no package "no-such-package" in the guest's repositories/],
    ['conflicting', /the packages do not fit together:\n.*conflicting-1\.0-1\.noarch.*hello/s],
    ['unsigned', /a package cannot be trusted: .*unsigned.* is not signed/],
    ['broken', /"broken-1\.0-1\.noarch" could not be installed: its %pre script.*no flux capacitor/s],
  ];
  for (const [name, why] of cases) {
    const { exitCode, stderr } = await guestree('install', 'greeter', name);
    expect.soft(exitCode, `${name}\n${stderr}`).toBe(7);
    expect.soft(stderr, name).toMatch(why);
    expect.soft(stderr, name).toMatch(/^guestree: .+\n(.*\n)* {2}\S/m);
  }
  await stopServing(lab);
  const offline = await guestree('upgrade', 'greeter');
  expect.soft(offline.exitCode, offline.stderr).toBe(75);
  expect.soft(offline.stderr).toMatch(/the repository "labos" cannot be read/);
  await serveRpms(lab, 2);
  expect(await leftovers()).toBe(before);
  expect(await greeting()).toContain('hello 2.0');
});

test('a script that fails at the end is a warning; a repository of the guest without signatures, too', async () => {
  const { exitCode, stderr } = await guestree('install', 'greeter', 'shaky', '--no-switch');
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toMatch(/The %post script of shaky-1\.0-1\.noarch failed, exit status 4/);
  await inside('sed', '-i', 's/^gpgcheck=1/gpgcheck=0/', '/etc/yum.repos.d/labos.repo');
  const open = await guestree('install', 'greeter', 'unsigned', '--no-switch');
  expect(open.exitCode, open.stderr).toBe(0);
  expect(open.stderr).toMatch(/labos \(\/etc\/yum\.repos\.d\/labos\.repo\) does not check signatures/);
});

test('what is taken away is gone with its service, and its data stay', async () => {
  await succeed('uninstall', 'greeter', 'hello', 'shaky', 'unsigned');
  await succeed('restart', 'greeter');
  expect((await inside('rpm', '-qa')).split('\n')).not.toContain('hello-2.0-1.noarch');
  expect((await guestree('exec', 'greeter', '--', 'systemctl', 'cat', 'hello')).exitCode).not.toBe(0);
  expect(await inside('cat', '/var/lib/hello/greeting')).toBe('written by its owner\n');
  expect((await inside('id', '-u', 'hello')).trim()).toBe(uid);
});

test('generations are compared by their rpm databases', async () => {
  const { packages } = JSON.parse(await succeed('diff', 'greeter', '1', '2', '--json')) as {
    packages: { package: string; to?: string }[];
  };
  expect(packages).toEqual([
    { package: 'hello', to: '1.0-1' },
    { package: 'hello-libs', to: '1.0-1' },
  ]);
});

test('a tree without dnf is layered with the host’s, inside of a container', async () => {
  const bare = '/var/tmp/bare.tar';
  await lab.run(['cp', lab.baseTar('labos'), bare]);
  await lab.run(['tar', `--file=${bare}`, '--delete', './usr/bin/dnf', './usr/bin/dnf-3'], {
    timeout: 120_000,
  });
  await succeed('create', 'bare', '--from', `tar:${bare}`, '--install', 'hello');
  await succeed('start', 'bare');
  const words = await succeed('exec', 'bare', '--', 'rpm', '-qa');
  expect(words.split('\n')).toContain('hello-2.0-1.noarch');
  expect((await succeed('exec', 'bare', '--', 'id', '-un', 'hello')).trim()).toBe('hello');
  expect(await succeed('exec', 'bare', '--', 'cat', '/usr/share/hello/word')).toBe('hello 2.0\n');
});

test('versions are ordered as the real rpm orders them', async () => {
  const lua = RPM_ORDER.map(([a, b]) => `print(rpm.vercmp("${a}","${b}").."\\n")`).join(' ');
  const { stdout } = await lab.run(['rpm', '--eval', `%{lua:${lua}}`]);
  expect(stdout.match(/-?\d+/g)?.map(Number)).toEqual(RPM_ORDER.map(([, , order]) => order));
});
