import path from 'node:path';
import type { Lab } from '../lab/lab.ts';

const here = import.meta.dirname;

/** The stand-in for rpm-ostree: a program for lab hosts and for trees. */
export const STAND_IN = path.join(here, 'rpm-ostree');

/** Puts the stand-in where a lab host finds it, for the life of the lab; /usr is read-only, /usr/local is not. */
export async function installStandIn(lab: Lab): Promise<void> {
  await lab.copyIn(STAND_IN, '/usr/local/bin/rpm-ostree');
  await lab.run(['chmod', '755', '/usr/local/bin/rpm-ostree']);
}

/** Deploys LabOS as an OS of the lab host, behind the host's own deployments; needs `bases: ['labos']`. */
export async function deployLabos(lab: Lab, stateroot: string): Promise<void> {
  await lab.copyIn(path.join(here, 'tree.sh'), '/var/tmp/tree.sh');
  await lab.run(['bash', '/var/tmp/tree.sh', lab.baseTar('labos'), stateroot], { timeout: 180_000 });
}
