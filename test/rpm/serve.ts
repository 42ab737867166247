import path from 'node:path';
import type { Lab } from '../lab/lab.ts';

/** Where labos.repo of the distribution looks for packages: in the lab's own network namespace. */
const PORT = 8482;
const DIRECTORY = '/var/tmp/rpms';
const UNIT = 'rpm-repository';

/**
 * Serves repository 1 or 2 of the distribution in a lab that was started with `rpms: true`. Called again, it moves on to
 * the other one.
 */
export async function serveRpms(lab: Lab, version: 1 | 2): Promise<void> {
  const fresh = `${DIRECTORY}.new`;
  await lab.run(['rm', '-rf', fresh, `${DIRECTORY}.old`]);
  await lab.run(['cp', '-r', `/run/lab/rpms/${version}`, fresh]);
  await lab.run(['mkdir', '-p', DIRECTORY]);
  await lab.run(['mv', DIRECTORY, `${DIRECTORY}.old`]);
  await lab.run(['mv', fresh, DIRECTORY]);
  await lab.run(['rm', '-rf', `${DIRECTORY}.old`]);
  const active = await lab.run(['systemctl', 'is-active', UNIT], { check: false });
  if (active.exitCode === 0) return;
  await lab.copyIn(path.join(import.meta.dirname, '../lab/serve.mjs'), '/var/tmp/serve.mjs');
  await lab.run(['systemd-run', `--unit=${UNIT}`, 'node', '/var/tmp/serve.mjs', DIRECTORY, String(PORT)]);
}

/** Ends the server: the network is away for a test. */
export async function stopServing(lab: Lab): Promise<void> {
  await lab.run(['systemctl', 'stop', UNIT], { check: false });
}
