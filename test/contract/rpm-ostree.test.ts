import { afterAll, beforeAll, expect, test } from 'vitest';
import { command } from '../lab/command.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { stateroot } from '../lab/sysroot.ts';
import { deployLabos, installStandIn } from '../rpm-ostree/lab.ts';
import { serveRpms } from '../rpm/serve.ts';
import { EXPECTATIONS, type Host } from './expectations.ts';

/**
 * `npm run test:rpm-ostree` checks the stand-in in a lab. On a disposable host that was booted with the real rpm-ostree,
 * as root: `RPM_OSTREE=/usr/bin/rpm-ostree RPM_OSTREE_HOST=local RPM_OSTREE_PACKAGE=tmux npm run test:rpm-ostree`. It stages deployments and removes
 * them, and leaves an OS of the name below.
 */
const OS = 'guestree-contract';
const local = process.env['RPM_OSTREE_HOST'] === 'local';
const chosen = process.env['RPM_OSTREE'] ?? 'stand-in';
const program = chosen === 'stand-in' ? 'rpm-ostree' : chosen;

let lab: Lab | undefined;
let host: Host;

beforeAll(async () => {
  host = local ? await realHost() : await labHost();
  const { stdout } = await host.run([program, '--version']);
  const { stdout: ostree } = await host.run(['ostree', '--version']);
  const version = (output: string): string => output.split('\n').slice(0, 2).join(' ');
  console.log(`tested: ${version(stdout)}, with ${version(ostree)}`);
});
afterAll(async () => {
  if (lab === undefined) await host.run([program, 'cleanup', `--os=${OS}`, '--pending']);
  else await lab.dispose();
});

for (const { name, check } of EXPECTATIONS) test(name, () => check(host));

async function labHost(): Promise<Host> {
  const started = await startLab({ bases: ['labos'], rpms: true, name: 'contract' });
  lab = started;
  await installStandIn(started);
  await serveRpms(started, 1);
  await deployLabos(started, OS);
  const run: Host['run'] = (argv) => started.run(argv, { check: false, timeout: 240_000 });
  return {
    ...(await observe(run)),
    bootedOs: stateroot,
    package: 'hello',
    slowDown: async (slow) => {
      const hook = '/run/rpm-ostree-stand-in/before';
      if (slow) await started.writeFile(hook, '#!/bin/sh\nexec sleep 4\n', 0o755);
      else await started.run(['rm', '-f', hook]);
    },
  };
}

async function realHost(): Promise<Host> {
  const run: Host['run'] = (argv) => command(argv, { check: false, timeout: 900_000 });
  const packageName = process.env['RPM_OSTREE_PACKAGE'];
  if (packageName === undefined) throw new Error('name a package to install: RPM_OSTREE_PACKAGE=tmux');
  const booted = await bootedOne(run);
  if ((await run(['test', '-e', `/ostree/deploy/${OS}`])).exitCode !== 0) {
    await command(['ostree', 'admin', 'os-init', OS]);
    await command(['ostree', 'refs', `--create=${OS}/1`, booted.commit]);
    await command(['ostree', 'admin', 'deploy', `--os=${OS}`, '--not-as-default', '--retain', `${OS}/1`]);
  }
  return { ...(await observe(run)), package: packageName, slowDown: () => Promise.resolve() };
}

async function observe(
  run: Host['run'],
): Promise<Pick<Host, 'run' | 'program' | 'os' | 'base' | 'booted' | 'bootedOs'>> {
  const { commit, os } = await bootedOne(run);
  const base = (await run(['ostree', 'rev-parse', `${OS}/1`])).stdout.trim();
  return { run, program, os: OS, base, booted: commit, bootedOs: os };
}

async function bootedOne(run: Host['run']): Promise<{ os: string; commit: string }> {
  const { stdout } = await run(['ostree', 'admin', 'status']);
  const [, os, commit] = /^\* (\S+) ([0-9a-f]{64})\.\d+/m.exec(stdout) ?? [];
  if (os === undefined || commit === undefined) expect.fail(`no booted deployment in\n${stdout}`);
  return { os, commit };
}
