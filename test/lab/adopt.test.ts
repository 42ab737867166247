import { afterAll, beforeAll, expect, test } from 'vitest';
import { markerBase, serveMarker } from '../crash/boundaries.ts';
import { startLab, type Lab, type Output } from './lab.ts';
import { attributesOf, deployByHand, fingerprintOf, publishTree, setAttribute } from './recipe.ts';

/** Guests that somebody keeps by the well-known recipe, in stateroots of the host, come into guestree's hands. */
const POOL = '/sysroot/ostree/guestree/pool';
const MACHINE_ID = '0123456789abcdef0123456789abcdef';
let lab: Lab;
let deployment: string;

beforeAll(async () => {
  lab = await startLab({ bases: ['trixie'], name: 'adopt' });
  await lab.installGuestree();
  await serveMarker(lab, ['1.0']);
  await guestree('create', 'helper', ...(await markerBase(lab)), '--install', 'marker');
  // As rpm-ostree would have left it: a base that a ref of the host follows, and a commit with the package on top.
  await publishTree(lab, POOL, 'guest/helper/1/base', 'guest/base');
  const base = (await lab.run(['ostree', 'rev-parse', '--repo=/ostree/repo', 'guest/base'])).stdout.trim();
  await publishTree(lab, POOL, 'guest/helper/1/tree', 'guest/layered', base);
  await guestree('remove', 'helper', '--yes');
  deployment = await deployByHand(lab, 'guest', 'guest/layered');
  await live(deployment);
});
afterAll(async () => {
  await lab.dispose();
});

async function attempt(...args: string[]): Promise<Output> {
  return lab.run(['guestree', ...args], { check: false, timeout: 300_000 });
}

async function guestree(...args: string[]): Promise<Output> {
  const output = await attempt(...args);
  expect(output.exitCode, `guestree ${args.join(' ')}\n${output.stderr}`).toBe(0);
  return output;
}

const inside = async (guest: string, script: string): Promise<string> =>
  (await guestree('exec', guest, '--', 'sh', '-c', script)).stdout;

const shell = (script: string): Promise<Output> => lab.run(['sh', '-c', script]);

/** What years of use leave in /etc and /var of a deployment. */
async function live(directory: string): Promise<void> {
  const etc = `${directory}/etc`;
  const variable = `${directory}/../../var`;
  await shell(
    [
      `cd ${etc}`,
      'echo changed > issue',
      'rm debian_version',
      'mkdir -p app.d && echo secret > app.d/app.conf && chmod 600 app.d/app.conf && chown 1234:2345 app.d/app.conf',
      "echo 'alice:x:1500:1500::/var/home/alice:/bin/sh' >> passwd && echo 'alice:x:1500:' >> group",
      "echo 'alice:*:19000::::::' >> shadow",
      'ln -s /sysroot/ostree/deploy escape',
      `rm -f machine-id && echo ${MACHINE_ID} > machine-id`,
    ].join(' && '),
  );
  await shell(
    [
      `mkdir -p ${variable}/home/alice ${variable}/lib/app && cd ${variable}`,
      'echo mail > home/alice/mbox && chown -R 1500:1500 home/alice && chmod 700 home/alice',
      'echo data > lib/app/data && chown 1234:2345 lib/app/data && chmod 2640 lib/app/data',
      'ln lib/app/data lib/app/again && mkfifo lib/app/fifo && ln -s /etc/shadow lib/app/shadow',
      'ln -s /sysroot/ostree/deploy lib/app/outside && printf x > "lib/app/two\nlines"',
      'mkdir lib/app/mounted && touch -d 2001-02-03T04:05:06Z lib/app',
    ].join(' && '),
  );
  await setAttribute(lab, `${variable}/home/alice/mbox`, 'user.note', 'kept');
  await lab.writeFile(
    `${directory}.origin`,
    [
      '[origin]\nbaserefspec=guest/base\n\n[packages]\nrequested=marker;@a-group;',
      `requested-local=${'a'.repeat(64)}:local-0:1-1.noarch;\n\n[overrides]\nremove=bulky;\n`,
    ].join('\n'),
  );
}

async function observed(...stateroots: string[]): Promise<unknown> {
  const trees = await Promise.all(stateroots.map((each) => fingerprintOf(lab, each)));
  return [await lab.hostFingerprint(), trees, (await lab.run(['ostree', 'admin', 'status'])).stdout];
}

test('a listed guest is adopted with tree, layers, /etc, /var and machine id, and the host is as it was', async () => {
  await lab.stageHostUpdate();
  // Somebody's mount below /var belongs to the host.
  const mounted = `${deployment}/../../var/lib/app/mounted`;
  await shell(`mount -t tmpfs tmpfs ${mounted} && echo foreign > ${mounted}/foreign`);
  const before = await observed('guest');
  const { stdout, stderr } = await guestree('adopt', 'guest', '--as', 'mail', '--start');
  expect(await observed('guest')).toEqual(before);
  await lab.run(['umount', mounted]);

  expect(stdout).toMatch(/^mail: generation 1 made from the listed deployment \S+ of "guest" and started$/m);
  expect(stdout).toMatch(/^ {2}ostree admin undeploy 2\n {2}rm -r \/sysroot\/ostree\/deploy\/guest$/m);
  expect(stderr).toMatch(/mounted is a mount: what is in it was not copied/);
  expect(stderr).toMatch(/not kept: "@a-group"/);
  expect(stderr).toMatch(/from local files stay .*: "local-0:1-1.noarch"/);
  expect(stderr).toMatch(/stay removed .*: "bulky"/);

  const { guests } = JSON.parse((await guestree('status', 'mail', '--json')).stdout) as { guests: object[] };
  expect(guests[0]).toMatchObject({
    state: 'running',
    generation: 1,
    from: 'ostree:guest/base',
    requested: ['marker'],
    engine: 'apt',
    lastSwitch: { reason: 'adopt' },
  });
  expect(await inside('mail', 'cat /etc/issue /usr/share/marker/version /etc/machine-id')).toBe(
    `changed\n1.0\n${MACHINE_ID}\n`,
  );
  expect(await inside('mail', 'test -e /etc/debian_version || echo gone; id -u alice')).toBe('gone\n1500\n');
  const facts = "stat -c '%n %U:%G %a %h' /etc/app.d/app.conf /var/lib/app/data /var/home/alice/mbox";
  expect(await inside('mail', facts.replace('%U:%G', '%u:%g'))).toBe(
    '/etc/app.d/app.conf 1234:2345 600 1\n/var/lib/app/data 1234:2345 2640 2\n/var/home/alice/mbox 1500:1500 644 1\n',
  );
  const links =
    'cd /var/lib/app && readlink shadow outside && test -p fifo && test ! -e mounted/foreign && ls -b';
  expect(await inside('mail', links)).toBe(
    '/etc/shadow\n/sysroot/ostree/deploy\nagain\ndata\nfifo\nmounted\noutside\nshadow\ntwo\\nlines\n',
  );
  expect(await inside('mail', 'date -ur /var/lib/app +%F; readlink /etc/escape')).toBe(
    '2001-02-03\n/sysroot/ostree/deploy\n',
  );
  const variable = '/sysroot/ostree/guestree/guests/mail/sysroot/ostree/deploy/mail/var';
  expect(await attributesOf(lab, `${variable}/home/alice/mbox`)).toEqual(['SCHILY.xattr.user.note=kept']);
});

test('its layers are upgraded on the base that the host follows, and its /etc goes along', async () => {
  await serveMarker(lab, ['2.0']);
  await guestree('upgrade', 'mail');
  expect(await inside('mail', 'cat /usr/share/marker/version /etc/issue; id -u alice')).toBe(
    '2.0\nchanged\n1500\n',
  );
  await guestree('rollback', 'mail');
  expect(await inside('mail', 'cat /usr/share/marker/version')).toBe('1.0\n');
});

test('a staged deployment is taken with the /etc that would be merged into it', async () => {
  await deployByHand(lab, 'guest', 'guest/layered', ['--stage']);
  const before = await observed('guest');
  const { stdout, stderr } = await guestree('adopt', 'guest', '--as', 'second', '--network', 'none');
  expect(await observed('guest')).toEqual(before);
  expect(stdout).toMatch(/made from the staged deployment \S+\.1 of "guest"/);
  expect(stdout).toMatch(/undeploy 2\n {2}ostree admin undeploy 0\n/);
  expect(stderr).toMatch(/takes the staged deployment .*; other deployments: the listed deployment/);
  // Its own origin asks for nothing, and follows the ref that it was deployed from.
  const { guests } = JSON.parse((await guestree('status', 'second', '--json')).stdout) as {
    guests: object[];
  };
  expect(guests[0]).toMatchObject({ from: 'ostree:guest/layered', requested: [], state: 'stopped' });
  await guestree('start', 'second');
  expect(await inside('second', 'cat /etc/issue /var/home/alice/mbox; id -u alice')).toBe(
    'changed\nmail\n1500\n',
  );
});

test('what the recipe left behind, listed nowhere, is adopted before the host deletes it', async () => {
  const hidden = await deployByHand(lab, 'lone-guest', 'guest/layered', ['--stage']);
  await shell(`rm /run/ostree/staged-deployment && echo in-place > ${hidden}/etc/issue`);
  await shell(`printf '\n[libostree-transient]\npinned=true\n' >> ${hidden}.origin`);
  await lab.run(['ostree', 'refs', '--repo=/ostree/repo', '--delete', 'guest/layered']);
  const before = await observed('guest', 'lone-guest');
  const { stdout, stderr } = await guestree('adopt', 'lone-guest', '--network', 'none', '--start');
  expect(await observed('guest', 'lone-guest')).toEqual(before);
  expect(stdout).toMatch(/made from the left-over deployment/);
  expect(stderr).toMatch(/the next cleanup of the host deletes it/);
  expect(stderr).toMatch(/has no ref to follow/);
  expect(await inside('lone-guest', 'cat /etc/issue; test -s /etc/machine-id && echo id')).toBe(
    'in-place\nid\n',
  );
  const { guests } = JSON.parse((await guestree('status', 'lone-guest', '--json')).stdout) as {
    guests: object[];
  };
  expect(guests[0]).toMatchObject({ from: 'ostree:guest/lone-guest/adopted' });
  // Nothing says what was layered, so all of the tree is the base, and the ref that is kept of it is the source.
  await guestree('upgrade', 'lone-guest');
  expect(await inside('lone-guest', 'cat /usr/share/marker/version /etc/issue')).toBe('2.0\nin-place\n');
});

test('what cannot be adopted is refused with the next command', async () => {
  const before = await observed('guest', 'lone-guest');
  const refused = async (args: readonly string[], code: number, why: RegExp): Promise<void> => {
    const { exitCode, stderr } = await attempt('adopt', ...args);
    expect.soft(stderr, args.join(' ')).toMatch(why);
    expect.soft(stderr, args.join(' ')).toMatch(/^guestree: .+\n {2}\S/m);
    expect.soft(exitCode, `${args.join(' ')}\n${stderr}`).toBe(code);
  };
  await refused(['nobody'], 4, /no stateroot "nobody"\n.*There are: guest, lone-guest/);
  await refused(['labhost', '--as', 'own'], 5, /the host itself runs from/);
  await refused(['guest', '--as', 'mail'], 5, /the guest "mail" exists already/);
  await refused(['guest', '--as', 'Not_A_Name'], 3, /not a guest name/);
  await refused(['guest', '--deployment', 'x.0'], 4, /no deployment "x\.0"\n.*There are: [0-9a-f]{64}/);
  await lab.run(['ostree', 'admin', 'os-init', 'void']);
  await refused(['void'], 4, /has no deployment\n.*ostree admin deploy --os=void/);
  const commit = /([0-9a-f]{64})\.\d+$/.exec(deployment)?.[1] ?? '';
  const object = `/ostree/repo/objects/${commit.slice(0, 2)}/${commit.slice(2)}.commit`;
  await lab.run(['mv', object, `${object}.away`]);
  await refused(['guest'], 4, /commit [0-9a-f]{64} is no longer in the repository\b.*\n.*ostree pull/);
  await lab.run(['mv', `${object}.away`, object]);
  await lab.run([
    'systemd-run',
    '--unit=old',
    `--property=RootDirectory=${deployment}`,
    '/usr/bin/sleep',
    '60',
  ]);
  await refused(['guest'], 5, /is running: process \d+/);
  await lab.run(['systemctl', 'stop', 'old']);
  await shell('cd /sysroot/ostree/deploy && rmdir void/var void');
  expect((await lab.hostFingerprint()).deployments).toEqual(
    (before as [{ deployments: string[] }])[0].deployments,
  );
  expect((await shell('ls /etc/guestree')).stdout).toBe('lone-guest.guest\nmail.guest\nsecond.guest\n');
});

test('the printed commands remove the old stateroot, and the guest does not notice', async () => {
  await guestree('remove', 'second', '--yes');
  const { stdout } = await guestree('adopt', 'guest', '--as', 'second', '--network', 'none');
  const commands = [...stdout.matchAll(/^ {2}(\S.*)$/gm)].map(([, command]) => command ?? '');
  for (const command of commands) await shell(command);
  expect((await lab.run(['ls', '/sysroot/ostree/deploy'])).stdout).not.toMatch(/^guest$/m);
  expect(await lab.bootMenu()).toHaveLength(1);
  await lab.run(['ostree', 'admin', 'cleanup']);
  await guestree('restart', 'mail');
  expect(await inside('mail', 'cat /usr/share/marker/version; id -u alice')).toBe('1.0\n1500\n');
  await lab.run(['ostree', 'fsck', '--quiet', `--repo=${POOL}`], { timeout: 300_000 });
});
