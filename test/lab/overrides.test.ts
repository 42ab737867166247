import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installStandIn, STAND_IN } from '../rpm-ostree/lab.ts';
import { serveRpms } from '../rpm/serve.ts';
import type { HostFingerprint } from './fingerprint.ts';
import { startLab, type Lab, type Output } from './lab.ts';

/**
 * Packages of the base that are removed and replaced, and package sources on another base; by the host's rpm-ostree (the
 * stand-in), on a host that has an update of its own staged all the time.
 */
const STATE = '/sysroot/ostree/guestree';
const LIBS = '/run/lab/rpms/2/hello-libs-2.0-1.noarch.rpm';
/** LabOS with hello-libs 1.0 and a package without files in its base, and with an rpm-ostree of its own. */
const RICH = '/var/tmp/rich';
/** LabOS whose package source is another one. */
const NEXT = '/var/tmp/next';
let lab: Lab;
let before: HostFingerprint;

beforeAll(async () => {
  lab = await startLab({ bases: ['labos'], rpms: true, name: 'overrides' });
  await lab.installGuestree();
  await installStandIn(lab);
  await serveRpms(lab, 1);
  await lab.run(['systemd-run', 'node', '/var/tmp/serve.mjs', '/run/lab/rpms/2', '8483']);
  const tar = lab.baseTar('labos');
  const install = `rpm --root=${RICH} --dbpath=/usr/lib/sysimage/rpm --nosignature --install`;
  await lab.run(['mkdir', RICH, NEXT]);
  await lab.run(
    [
      'sh',
      '-ec',
      `for base in ${RICH} ${NEXT}; do tar --extract --file=${tar} --directory=$base --numeric-owner --xattrs; done
      ${install} /run/lab/rpms/1/hello-libs-1.0-1.noarch.rpm /run/lab/rpms/1/unsigned-1.0-1.noarch.rpm
      sed -i s/8482/8483/ ${NEXT}/etc/yum.repos.d/labos.repo`,
    ],
    { timeout: 120_000 },
  );
  await lab.copyIn(STAND_IN, `${RICH}/usr/bin/rpm-ostree`);
  await lab.stageHostUpdate();
  before = await lab.hostFingerprint();
});
afterAll(async () => {
  await lab.dispose();
});

const guestree = async (...args: string[]): Promise<Output> =>
  lab.run(['guestree', ...args], { check: false, timeout: 300_000 });

async function succeed(...args: string[]): Promise<Output> {
  const output = await guestree(...args);
  expect(output.exitCode, `guestree ${args.join(' ')}\n${output.stderr}`).toBe(0);
  return output;
}

/** What of the packages of these tests the current tree of a guest has. rpm would write to a database of the tree. */
async function packagesOf(guest: string): Promise<string[]> {
  const script = [
    `rm -rf /run/rpmdb && cp -r /var/lib/machines/${guest}/usr/lib/sysimage/rpm /run/rpmdb`,
    `rpm --dbpath=/run/rpmdb --query --all --queryformat='%{NAME} %{VERSION}\\n' 'hello*' unsigned`,
  ];
  return (await lab.run(['sh', '-ec', script.join('\n')])).stdout.trim().split('\n').sort();
}

async function overridesOf(guest: string): Promise<unknown> {
  const { guests } = JSON.parse((await succeed('status', guest, '--json')).stdout) as {
    guests: { overrides: { removed: string[]; replaced: { nevra: string }[] } }[];
  };
  const [one] = guests;
  return [one?.overrides.removed, one?.overrides.replaced.map(({ nevra }) => nevra)];
}

async function keptFiles(): Promise<string> {
  const list = ['sh', '-c', `cd ${STATE}/guests/web/rpms && ls`];
  return (await lab.run(list, { check: false })).stdout.replace(/^[0-9a-f]{64}-/gm, '');
}

async function edit(guest: string, engine: string): Promise<void> {
  await lab.run(['sed', '-i', `s/^Engine=.*/Engine=${engine}/`, `/etc/guestree/${guest}.guest`]);
}

test('a package of the base is removed, by the host, and with others by the tree’s own rpm-ostree', async () => {
  await succeed('create', 'web', '--from', `dir:${RICH}`, '--engine', 'rpm-ostree:host');
  expect(await packagesOf('web')).toEqual(['hello-libs 1.0', 'unsigned 1.0']);
  await succeed('override', 'web', 'remove', 'unsigned');
  expect(await packagesOf('web')).toEqual(['hello-libs 1.0']);
  await edit('web', 'rpm-ostree');
  await succeed('install', 'web', 'hello');
  expect(await packagesOf('web')).toEqual(['hello 1.0', 'hello-libs 1.0']);
  await edit('web', 'rpm-ostree:host');
});

test('another one is replaced, and what is layered on it follows', async () => {
  await serveRpms(lab, 2);
  await lab.run(['guestree', 'override', 'web', 'replace', path.basename(LIBS)], {
    cwd: path.dirname(LIBS),
    timeout: 300_000,
  });
  expect(await packagesOf('web')).toEqual(['hello 2.0', 'hello-libs 2.0']);
  expect(await overridesOf('web')).toEqual([['unsigned'], ['hello-libs-2.0-1.noarch']]);
  const { stdout } = await succeed('status', 'web');
  expect(stdout).toMatch(/Removed: +unsigned\n/);
  expect(stdout).toMatch(/Replaced: +hello-libs-2\.0-1\.noarch\n/);
  expect((await succeed('history', 'web', '--json')).stdout).toContain('"hello-libs-2.0-1.noarch"');
  expect((await guestree('override', 'web', 'remove', 'unsigned')).exitCode).toBe(77);
});

test('an upgrade does both again on the new base, and then finds nothing', async () => {
  await lab.run(['touch', `${RICH}/usr/share/newer`]);
  await succeed('upgrade', 'web');
  expect(await packagesOf('web')).toEqual(['hello 2.0', 'hello-libs 2.0']);
  await lab.run(['test', '-e', '/var/lib/machines/web/usr/share/newer']);
  expect((await guestree('upgrade', 'web')).exitCode).toBe(77);
});

test('what cannot be overridden is refused with a reason', async () => {
  const refused = async (exitCode: number, says: RegExp, ...args: string[]): Promise<void> => {
    const output = await guestree('override', 'web', ...args);
    expect(output.stderr).toMatch(says);
    expect(output.exitCode, output.stderr).toBe(exitCode);
  };
  await refused(4, /there is no file "\/.*\/none\.rpm"/, 'replace', 'none.rpm');
  await refused(3, /not a package file/, 'replace', '/etc/passwd');
  await refused(3, /not a regular file/, 'replace', '/etc');
  await refused(4, /not in the base: hello\b/, 'remove', 'hello');
  await refused(4, /not in the base: hello\b/, 'replace', '/run/lab/rpms/2/hello-2.0-1.noarch.rpm');
  await refused(4, /not overridden: labos-base/, 'reset', 'labos-base');
  await refused(3, /is not a package name/, 'remove', '--', '--all');
  await refused(3, /is not a package name/, 'remove', 'unsigned\nhello');
  await refused(2, /not remove, replace or reset/, 'delete', 'unsigned');
  for (const engine of ['apt', 'dnf']) {
    await edit('web', engine);
    await refused(71, new RegExp(`with the engine ${engine}`), 'remove', 'labos-release');
  }
  await edit('web', 'rpm-ostree:host');
});

test('a reset gives everything back', async () => {
  await succeed('override', 'web', 'reset', '--all');
  expect(await packagesOf('web')).toEqual(['hello 1.0', 'hello-libs 1.0', 'unsigned 1.0']);
  expect(await overridesOf('web')).toEqual([[], []]);
  expect(await keptFiles()).toBe('hello-libs.rpm\n');
});

test('on another base packages come from its sources', async () => {
  await serveRpms(lab, 1);
  await succeed('rebase', 'web', '--from', `dir:${NEXT}`);
  expect(await packagesOf('web')).toEqual(['hello 2.0', 'hello-libs 2.0']);
});

test('package sources that the administrator changed stay on another base', async () => {
  await lab.run(['sh', '-c', 'echo "# kept" >>/var/lib/machines/web/etc/yum.repos.d/labos.repo']);
  await succeed('rebase', 'web', '--from', `tar:${lab.baseTar('labos')}`);
  expect(await packagesOf('web')).toEqual(['hello 2.0', 'hello-libs 2.0']);
});

test('cleanup removes package files that no generation needs, and the host is as it was', async () => {
  await succeed('cleanup', 'web', '--keep', '0');
  expect(await keptFiles()).toBe('');
  expect(await lab.hostFingerprint()).toEqual(before);
  expect((await lab.run(['guestree', 'guard'], { check: false })).exitCode).toBe(0);
});
