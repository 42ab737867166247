import { join } from 'node:path';
import { expect } from 'vitest';
import type { Lab, Output } from '../lab/lab.ts';

/**
 * Kill -9 at every step boundary of an operation. The boundaries are counted from what `--dry-run` prints, so that a
 * step that is added to a plan is covered without being named here.
 */
const REPOSITORY = '/var/tmp/marker';
const PORT = 8481;
const from = (name: string): string => join(import.meta.dirname, '..', name);

export async function guestree(lab: Lab, args: readonly string[], failpoint?: string): Promise<Output> {
  const env: Record<string, string> = failpoint === undefined ? {} : { GUESTREE_FAILPOINT: failpoint };
  return lab.run(['guestree', ...args], { check: false, timeout: 300_000, env });
}

export async function succeed(
  lab: Lab,
  args: readonly string[],
  codes: readonly number[] = [0],
): Promise<string> {
  const output = await guestree(lab, args);
  expect(codes, `guestree ${args.join(' ')}\n${output.stderr}`).toContain(output.exitCode);
  return output.stdout;
}

/** How many steps the operation has now. */
export async function countSteps(lab: Lab, args: readonly string[]): Promise<number> {
  const stdout = await succeed(lab, [...args, '--dry-run']);
  const steps = stdout.split('\n').filter((line) => /^\d+\. /.test(line)).length;
  expect(steps, stdout).toBeGreaterThan(0);
  return steps;
}

/** Kills the operation before each of its steps, and after the last. `check` sees what is left each time. */
export async function killEverywhere(
  lab: Lab,
  args: () => readonly string[],
  check: (point: string) => Promise<void>,
): Promise<number> {
  const steps = await countSteps(lab, args());
  const points = [...Array.from({ length: steps }, (_, index) => `before:${index}`), `after:${steps - 1}`];
  for (const point of points) {
    const { exitCode, stderr } = await guestree(lab, args(), point);
    // 137 = 128 + SIGKILL, as the shell and the service manager count.
    expect(exitCode, `${args().join(' ')} at ${point} was not killed:\n${stderr}`).not.toBe(0);
    expect(stderr, point).not.toMatch(/this is a bug/);
    await check(point);
  }
  return points.length;
}

/** A repository of the package `marker`, served to the lab, and a guest's sources for it. */
export async function serveMarker(lab: Lab, versions: readonly string[]): Promise<void> {
  await lab.copyIn(from('mail/marker.sh'), '/var/tmp/marker.sh');
  await lab.copyIn(from('lab/serve.mjs'), '/var/tmp/serve.mjs');
  await lab.run(['sh', '/var/tmp/marker.sh', REPOSITORY, ...versions]);
  const active = await lab.run(['systemctl', 'is-active', 'marker-repository'], { check: false });
  if (active.exitCode === 0) return;
  await lab.run([
    'systemd-run',
    '--unit=marker-repository',
    'node',
    '/var/tmp/serve.mjs',
    REPOSITORY,
    String(PORT),
  ]);
}

/**
 * A base whose package sources are that repository alone: layering then takes seconds and no download. It comes from an
 * OSTree repository, because looking for upgrades of one costs next to nothing.
 */
export async function markerBase(lab: Lab): Promise<readonly string[]> {
  const directory = '/var/tmp/base';
  const repo = '/var/tmp/base-repo';
  await lab.run(['mkdir', directory, repo]);
  await lab.run(['tar', '-xf', lab.baseTar(lab.suite), '-C', directory], { timeout: 120_000 });
  await lab.run([
    'sh',
    '-c',
    `rm -rf ${directory}/etc/apt/sources.list ${directory}/etc/apt/sources.list.d/* ${directory}/dev/*`,
  ]);
  await lab.writeFile(`${directory}/etc/apt/sources.list`, `deb [trusted=yes] http://127.0.0.1:${PORT} ./\n`);
  await lab.run(['ostree', 'init', `--repo=${repo}`, '--mode=bare']);
  await lab.run(
    ['ostree', 'commit', `--repo=${repo}`, '--branch=base', '--consume', `--tree=dir=${directory}`],
    {
      timeout: 120_000,
    },
  );
  return ['--from', 'ostree:base', '--repo', repo];
}

/** Nothing of an interrupted run may be left: no mount, no scratch, no journal. */
export async function expectNothingLeft(lab: Lab, point: string): Promise<void> {
  const state = '/sysroot/ostree/guestree';
  const { stdout } = await lab.run([
    'sh',
    '-c',
    `ls -A ${state}/journal ${state}/scratch; grep guestree/scratch /proc/mounts || true`,
  ]);
  const lines = stdout.split('\n').filter((line) => line !== '' && !line.endsWith(':'));
  expect(lines, `left after ${point}`).toEqual([]);
}
