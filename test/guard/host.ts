import { expect } from 'vitest';
import type { Lab } from '../lab/lab.ts';
import { stateroot } from '../lab/sysroot.ts';
import { installStandIn } from '../rpm-ostree/lab.ts';
import { serveRpms } from '../rpm/serve.ts';
import type { State } from './cells.ts';

/** The host's side of the guard matrix. Versions 1 and 2 of the lab host take turns as "the host's update". */
export const STAGED = '/run/ostree/staged-deployment';
export const GUEST = 'g';
/** The stateroot of somebody who keeps a guest by the recipe that circulates. */
const OLD_GUEST = 'oldguest';

/** A lab host with the stand-in for rpm-ostree, and a guest that its host layers packages for. */
export async function prepareHost(lab: Lab): Promise<void> {
  await lab.installGuestree();
  await installStandIn(lab);
  await serveRpms(lab, 1);
  await lab.run(
    ['guestree', 'create', GUEST, '--from', `tar:${lab.baseTar('labos')}`, '--engine', 'rpm-ostree:host'],
    { timeout: 300_000 },
  );
  await lab.run(['ostree', 'admin', 'os-init', OLD_GUEST]);
}

/** What a reboot takes away: servers and hooks of the test are not part of the host. */
export async function afterBoot(lab: Lab): Promise<void> {
  await serveRpms(lab, 1);
}

export async function otherVersion(lab: Lab): Promise<number> {
  return 3 - (await lab.hostVersion());
}

export function updateRef(lab: Lab, version: number): string {
  return `labhost/${lab.suite}/${version}`;
}

/** Brings the host into a state of the matrix; nothing is staged before. */
export async function bringInto(lab: Lab, state: State): Promise<void> {
  const update = updateRef(lab, await otherVersion(lab));
  const stage = async (os: string): Promise<void> => {
    await lab.run(['ostree', 'admin', 'deploy', '--stage', `--os=${os}`, update]);
  };
  switch (state) {
    case 'nothing staged':
      return;
    case 'host staged':
      return stage(stateroot);
    case 'host staged and locked':
      await stage(stateroot);
      await lab.run(['touch', `${STAGED}-locked`]);
      return;
    case 'guest left staged':
      return stage(OLD_GUEST);
    case 'dangling staged file':
      // As when the file was moved away and back: the deployment went with a cleanup in between.
      await stage(stateroot);
      await lab.run(['cp', '-a', STAGED, '/run/kept']);
      await lab.run(['ostree', 'admin', 'undeploy', '0']);
      await lab.run(['mv', '/run/kept', STAGED]);
  }
}

/** States that only the user can decide on: a window is refused, and `guard --repair` says what it will do. */
export function needsRepair(state: State): boolean {
  return state === 'guest left staged' || state === 'dangling staged file';
}

export async function repair(lab: Lab, state: State): Promise<void> {
  const refused = await lab.run(['guestree', 'install', GUEST, 'hello'], { check: false, timeout: 300_000 });
  expect(refused.exitCode, refused.stderr).toBe(5);
  expect(refused.stderr).toContain('guestree guard --repair');
  const looked = await lab.run(['guestree', 'guard'], { check: false });
  expect(looked.exitCode, looked.stdout).toBe(8);
  const told = await lab.run(['guestree', 'guard', '--repair', '--dry-run']);
  expect(told.stdout).toMatch(/^1\. (Unstage|Remove the staged-deployment file)/);
  await lab.run(['guestree', 'guard', '--repair', '--yes']);
  await expectClean(lab);
  if (state === 'guest left staged') {
    const { stdout } = await lab.run(['ostree', 'refs', '--repo=/sysroot/ostree/guestree/pool', 'rescued']);
    expect(stdout).toContain(OLD_GUEST);
  }
}

/** Nothing of guestree's is left on the host, and the host is sound. */
export async function expectClean(lab: Lab): Promise<void> {
  const { exitCode, stdout } = await lab.run(['guestree', 'guard'], { check: false });
  expect(exitCode, stdout).toBe(0);
  expect(stdout).not.toMatch(/window/);
  const { stdout: left } = await lab.run([
    'sh',
    '-c',
    'ls -d /sysroot/ostree/deploy/guestree-* /sysroot/ostree/guestree/guard/window.json 2>/dev/null; ostree refs --repo=/ostree/repo | grep ^guestree/ || true',
  ]);
  expect(left).toBe('');
}

export interface HostChoice {
  /** The staged file in base64, or empty. */
  staged: string;
  locked: boolean;
  /** Refs but for those that follow the list of deployments by themselves. */
  refs: Record<string, string>;
  /** Deployments of the boot menu, default first. */
  menu: string[];
  version: number;
}

/** What the host itself has chosen, read without guestree. */
export async function readChoice(lab: Lab): Promise<HostChoice> {
  const { staged, refs } = await lab.hostFingerprint();
  const locked = await lab.run(['test', '-e', `${STAGED}-locked`], { check: false });
  return {
    staged: staged ?? '',
    locked: locked.exitCode === 0,
    refs: Object.fromEntries(Object.entries(refs).filter(([name]) => !/^heads\/ostree\/\d/.test(name))),
    menu: (await lab.bootMenu()).map((entry) =>
      entry.deployment.replace(/^.*\/deploy\/(?=[^/]+\/deploy\/)/, ''),
    ),
    version: await lab.hostVersion(),
  };
}
