import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import { stateroot } from '../lab/sysroot.ts';
import { deployLabos, installStandIn } from '../rpm-ostree/lab.ts';
import { serveRpms } from '../rpm/serve.ts';
import { failpoint } from './matrix.ts';
import { expectClean, GUEST, prepareHost, STAGED, updateRef } from './host.ts';

/** Why there is a guard: the recipe that circulates for layering a guest's packages on an ostree host, and what it costs. */
let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ bases: ['labos'], rpms: true, name: 'recipe' });
});
afterEach(async () => {
  await lab.dispose();
});

const DEPLOY = '/sysroot/ostree/deploy';

async function stageHost(...options: string[]): Promise<void> {
  await lab.run(['ostree', 'admin', 'deploy', '--stage', `--os=${stateroot}`, ...options, updateRef(lab, 2)]);
}

/** An ostree that kills whoever called it right after it staged the host's own deployment. */
const DEADLY = `#!/bin/sh
/usr/bin/ostree "$@" || exit
case " $* " in *" --stage "*"--os=${stateroot} "*) kill -9 $PPID ;; esac
`;

async function exists(path: string): Promise<boolean> {
  return (await lab.run(['test', '-e', path], { check: false })).exitCode === 0;
}

async function directories(os: string): Promise<string[]> {
  const { stdout } = await lab.run(['sh', '-c', `cd ${DEPLOY}/${os}/deploy && ls -d *.[0-9]`]);
  return stdout.trim().split('\n').sort();
}

test('the old recipe loses the host’s update and the guest’s tree', async () => {
  await installStandIn(lab);
  await serveRpms(lab, 1);
  await deployLabos(lab, 'guest');
  const [booted] = await directories(stateroot);
  await stageHost();
  const [update] = (await directories(stateroot)).filter((id) => id !== booted);
  const [plain] = await directories('guest');
  await lab.run(
    [
      'sh',
      '-ec',
      [
        `mv ${STAGED} /run/ostree/staged-deployment.host`,
        'rpm-ostree install --os=guest hello',
        `rm ${STAGED}`,
        `mv /run/ostree/staged-deployment.host ${STAGED}`,
      ].join('\n'),
    ],
    { timeout: 180_000 },
  );
  const [layered] = (await directories('guest')).filter((id) => id !== plain);
  await lab.run([
    'sh',
    '-ec',
    `printf '[libostree-transient]\\npinned=true\\n' >> ${DEPLOY}/guest/deploy/${layered ?? ''}.origin`,
  ]);

  // The file is back, and what it names is gone.
  expect(await exists(`${DEPLOY}/${stateroot}/deploy/${update ?? 'none'}`)).toBe(false);
  expect(await exists(`${DEPLOY}/guest/deploy/${layered ?? 'none'}`)).toBe(true);
  // Any cleanup of anybody deletes the guest's tree, pinned or not.
  await lab.run(['rm', STAGED]);
  await lab.run(['ostree', 'admin', 'cleanup']);
  expect(await exists(`${DEPLOY}/guest/deploy/${layered ?? 'none'}`)).toBe(false);
  await lab.reboot();
  expect(await lab.hostVersion()).toBe(1);
});

test('the same through guestree loses neither', async () => {
  await prepareHost(lab);
  // Kernel arguments are only in the staged file: staged again without it, they would be lost.
  await stageHost('--karg-append=lab.kept=1');
  const before = await lab.hostFingerprint();

  // Cut off in the window, with nobody to mend it: found, named, and given back by --repair.
  for (const boundary of ['layer', 'restage', 'close'] as const) {
    await lab.run(['guestree', 'install', GUEST, 'hello'], {
      check: false,
      timeout: 300_000,
      env: { GUESTREE_FAILPOINT: await failpoint(lab, boundary) },
    });
    const found = await lab.run(['guestree', 'guard', '--json'], { check: false });
    expect(found.exitCode, boundary).toBe(8);
    const { checks } = JSON.parse(found.stdout) as { checks: { name: string; result: string }[] };
    expect(checks.find((each) => each.name === 'window-open')?.result, boundary).toBe('found');
    const told = await lab.run(['guestree', 'guard', '--repair', '--yes']);
    expect(told.stdout).toMatch(/^1\. Give the host back what it had staged/);
    await expectClean(lab);
    expect(await lab.hostFingerprint(), boundary).toEqual(before);
  }

  // Cut off in the middle of giving back: what ostree staged is there, what was saved is not yet written over it.
  await lab.writeFile('/usr/local/bin/ostree', DEADLY, 0o755);
  const cut = await lab.run(['guestree', 'install', GUEST, 'hello'], { check: false, timeout: 300_000 });
  await lab.run(['rm', '/usr/local/bin/ostree']);
  expect(cut.exitCode, cut.stderr).not.toBe(0);
  expect((await lab.hostFingerprint()).staged).not.toBe(before.staged);
  await lab.run(['guestree', 'guard', '--repair', '--yes']);
  await expectClean(lab);
  expect(await lab.hostFingerprint()).toEqual(before);

  await lab.run(['guestree', 'install', GUEST, 'hello'], { timeout: 300_000 });
  expect(await lab.hostFingerprint()).toEqual(before);
  await lab.run(['ostree', 'admin', 'cleanup']);
  expect((await lab.hostFingerprint()).staged).toBe(before.staged);
  await lab.run(['guestree', 'start', GUEST], { timeout: 120_000 });
  await lab.run(['guestree', 'exec', GUEST, '--', 'test', '-e', '/etc/hello.conf']);
  await lab.reboot();
  expect(await lab.hostVersion()).toBe(2);
  await lab.run(['guestree', 'start', GUEST], { timeout: 120_000 });
  await lab.run(['guestree', 'exec', GUEST, '--', 'test', '-e', '/etc/hello.conf']);
});
