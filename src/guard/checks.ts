import { Failure } from '../model/failure.ts';
import { bootedDeployment, type HostState } from './host.ts';
import { isOurRef, isOurStateroot } from './names.ts';

/** What a check looks at. */
export interface Checked {
  host: HostState;
  /** The guard window that is open, if one is; a Failure if its file is damaged. */
  window: { guest: string; heldByProcess: boolean } | undefined | Failure;
}

/** `error`: the next boot or the next update would not be what the host chose. `warning`: something will be lost. */
export type Severity = 'error' | 'warning' | 'info';

/** A named look at the host: what it found wrong, one sentence each; none if all is well. */
export interface Check {
  name: string;
  severity: Severity;
  description: string;
  /** @throws Failure if it could not look */
  run(checked: Checked): string[];
}

/** "Found something" and "could not look" are different results. */
export interface CheckResult {
  name: string;
  severity: Severity;
  result: 'ok' | 'found' | 'not-run';
  findings: string[];
}

export const CHECKS: readonly Check[] = [
  {
    name: 'booted-deployment',
    severity: 'error',
    description: 'the host runs from a deployment of its own sysroot',
    run: ({ host }) => (bootedDeployment(host) === undefined ? ['No deployment is the one that runs.'] : []),
  },
  {
    name: 'boot-entries',
    severity: 'error',
    description: 'every boot loader entry of ostree leads to a deployment',
    run: ({ host }) =>
      host.menu
        .filter((entry) => entry.text.includes('ostree=') && !isThere(host, entry.target))
        .map((entry) => `${entry.path} leads to no deployment.`),
  },
  {
    name: 'boot-default',
    severity: 'error',
    description: 'the default boot entry is one of the operating system that runs',
    run({ host }) {
      const booted = requireBooted(host);
      const target = host.menu[0]?.target;
      return target === undefined || target.stateroot === booted
        ? []
        : [`The next boot is into "${target.stateroot}", and the host is "${booted}".`];
    },
  },
  {
    name: 'staged-readable',
    severity: 'error',
    description: 'the staged-deployment file is whole',
    run: ({ host }) => (host.staged.kind === 'unreadable' ? [host.staged.why] : []),
  },
  {
    name: 'staged-dangling',
    severity: 'error',
    description: 'the staged deployment has its directory and its origin',
    run: ({ host: { staged } }) =>
      staged.kind === 'staged' && !staged.whole
        ? [
            `${staged.deployment.target.stateroot} ${staged.id} is staged, and its directory or origin is gone.`,
          ]
        : [],
  },
  {
    name: 'staged-foreign',
    severity: 'error',
    description: 'what is staged is an update of the operating system that runs',
    run({ host }) {
      if (host.staged.kind !== 'staged') return [];
      const booted = requireBooted(host);
      const { stateroot } = host.staged.deployment.target;
      return stateroot === booted
        ? []
        : [`"${stateroot}" is staged and becomes what the host boots next, in the place of "${booted}".`];
    },
  },
  {
    name: 'staged-locked',
    severity: 'info',
    description: 'finishing the staged deployment is not locked',
    run: ({ host }) =>
      host.staged.kind === 'staged' && (host.staged.deployment.locked || host.lockMarker)
        ? ['The staged deployment is locked: a shutdown does not finish it.']
        : [],
  },
  {
    name: 'soft-reboot',
    severity: 'warning',
    description: 'no soft reboot is prepared',
    run: ({ host }) =>
      host.softReboot ? ['A soft reboot is prepared; guestree changes nothing until it was done.'] : [],
  },
  {
    name: 'unlisted-deployments',
    severity: 'warning',
    description: 'every deployment directory is listed, so that no cleanup deletes it',
    run: ({ host }) =>
      host.deployments
        .filter((each) => !each.listed && !each.booted && !isOurStateroot(each.stateroot))
        .map(({ stateroot, id, origin }) => {
          const why = /^pinned=true$/m.test(origin ?? '') ? ', though its origin says pinned=true' : '';
          return `${stateroot} ${id} is in no boot entry and will be deleted at the next cleanup of ostree${why}. Keep it with: guestree adopt ${stateroot} --deployment ${id}`;
        }),
  },
  {
    name: 'foreign-deployments',
    severity: 'info',
    description: 'the host’s sysroot holds deployments of one operating system only',
    run({ host }) {
      const booted = requireBooted(host);
      const others = [
        ...new Set(
          host.deployments
            .filter((each) => each.stateroot !== booted && !isOurStateroot(each.stateroot))
            .map((each) => each.stateroot),
        ),
      ];
      return others.map(
        (each) =>
          `"${each}" has deployments beside the host's own. Take it over with: guestree adopt ${each}`,
      );
    },
  },
  {
    name: 'window-open',
    severity: 'error',
    description: 'no guard window was left open',
    run({ window }) {
      if (window instanceof Failure) throw window;
      return window === undefined || window.heldByProcess
        ? []
        : [`A window for the guest "${window.guest}" was cut off; what the host had staged is saved.`];
    },
  },
  {
    name: 'window-leftovers',
    severity: 'warning',
    description: 'nothing of a guard window is left on the host',
    run({ host, window }) {
      if (window !== undefined) return [];
      return [
        ...host.stateroots.filter(isOurStateroot).map((each) => `The stateroot ${each} is left.`),
        ...[...host.refs.keys()].filter(isOurRef).map((each) => `The ref ${each} is left.`),
      ];
    },
  },
];

export function runChecks(checked: Checked, skip: readonly string[] = []): CheckResult[] {
  return CHECKS.filter((check) => !skip.includes(check.name)).map((check): CheckResult => {
    const { name, severity } = check;
    try {
      const findings = check.run(checked);
      return { name, severity, result: findings.length === 0 ? 'ok' : 'found', findings };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { name, severity, result: 'not-run', findings: [error.message] };
    }
  });
}

function requireBooted(host: HostState): string {
  const booted = bootedDeployment(host);
  if (booted === undefined) throw new Failure('failed', 'it is not known which deployment runs');
  return booted.stateroot;
}

function isThere(host: HostState, target: HostState['menu'][number]['target']): boolean {
  return (
    target !== undefined &&
    host.deployments.some((each) => each.stateroot === target.stateroot && each.id === target.id)
  );
}
