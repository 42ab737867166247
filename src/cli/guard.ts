import { hostRepairs, repairHost } from '../app/hostguard.ts';
import type { App } from '../app/app.ts';
import { renderTable, type Streams } from '../app/output.ts';
import { CHECKS, runChecks, type Checked, type CheckResult } from '../guard/checks.ts';
import { bootedDeployment, observeHost, type HostDeployment, type HostState } from '../guard/host.ts';
import { describeRepair } from '../guard/repair.ts';
import { exitCodeOf, Failure } from '../model/failure.ts';
import { isLocked } from '../system/lock.ts';
import { confirm } from './confirm.ts';
import type { Verb } from './verb.ts';

export const guard: Verb = {
  name: 'guard',
  summary: 'look at what the host has staged, deployed and will boot; exit code 8 if something is wrong',
  kind: 'reading',
  writesState: true,
  examples: ['guestree guard', 'guestree guard --json', 'guestree guard --repair'],
  declare: (command) =>
    void command
      .option('--list', 'print the checks with what they look for')
      .option('--skip <check...>', 'leave out checks')
      .option('--repair', 'mend what can be mended safely, after saying what that is')
      .option('--dry-run', 'with --repair: only say what would be done')
      .option('-y, --yes', 'with --repair: do not ask')
      .option('--at-shutdown', 'as guestree-guard.service does when it is stopped'),
  async run(app, args) {
    if (args.flag('list')) {
      const checks = CHECKS.map(({ name, severity, description }) => ({ name, severity, description }));
      app.print({ checks }, () =>
        renderTable(
          app.streams,
          ['CHECK', 'SEVERITY', 'PASSES IF'],
          checks.map((each) => [each.name, each.severity, each.description]),
        ),
      );
      return undefined;
    }
    const skip = args.list('skip');
    const unknown = skip.filter((name) => !CHECKS.some((check) => check.name === name));
    if (unknown.length > 0) {
      throw new Failure('usage', `there is no check ${unknown.join(', ')}`, {
        hint: 'List them with: guestree guard --list',
      });
    }
    if (args.flag('atShutdown')) {
      await app.effects.window.restoreAtShutdown();
      return undefined;
    }
    if (!app.effects.ostreeBooted) {
      throw new Failure(
        'unsupported',
        'this host is not booted from an OSTree deployment: there is nothing to guard',
        {
          hint: 'The guard is for hosts with rpm-ostree or ostree; guests work here without it.',
        },
      );
    }
    if (args.flag('repair')) return repair(app, args.flag('dryRun'), args.flag('yes'));
    const checked = await look(app);
    const results = runChecks(checked, skip);
    app.print({ host: tellHost(checked.host), checks: results }, () =>
      render(app.streams, checked.host, results),
    );
    return results.some((each) => each.severity === 'error' && each.result !== 'ok')
      ? exitCodeOf('guard')
      : undefined;
  },
};

async function repair(app: App, dryRun: boolean, yes: boolean): Promise<number | undefined> {
  const sentences = (await hostRepairs(app.effects)).map(describeRepair);
  if (sentences.length === 0) {
    app.streams.out('Nothing to repair.\n');
    return undefined;
  }
  app.streams.out(sentences.map((each, index) => `${index + 1}. ${each}\n`).join(''));
  if (dryRun) return undefined;
  if (!yes) await confirm('Do this?', 'guestree guard --repair --yes');
  await repairHost(app.effects, (sentence) => app.effects.progress.detail(sentence));
  app.streams.out('Done.\n');
  return undefined;
}

async function look(app: App): Promise<Checked> {
  const host = await observeHost();
  try {
    const saved = await app.effects.window.saved();
    const held = saved !== undefined && (await isLocked(`${app.effects.paths.locks}/.window`));
    return { host, window: saved && { guest: saved.guest, heldByProcess: held } };
  } catch (error) {
    if (error instanceof Failure) return { host, window: error };
    throw error;
  }
}

function tell(deployment: HostDeployment | undefined): Omit<HostDeployment, 'origin'> | null {
  if (deployment === undefined) return null;
  const { stateroot, id, booted, listed } = deployment;
  return { stateroot, id, booted, listed };
}

/** The host's state as an object of its own: what `--json` prints. */
function tellHost(host: HostState): Record<string, unknown> {
  const { staged } = host;
  return {
    booted: tell(bootedDeployment(host)),
    staged:
      staged.kind === 'staged'
        ? {
            stateroot: staged.deployment.target.stateroot,
            deployment: staged.id,
            locked: staged.deployment.locked || host.lockMarker,
            whole: staged.whole,
            kargs: staged.deployment.kargs,
          }
        : staged.kind === 'none'
          ? null
          : { unreadable: staged.why },
    bootEntries: host.menu.map(({ path, target }) => ({ path, target })),
    deployments: host.deployments.map(tell),
    softReboot: host.softReboot,
  };
}

function render(streams: Streams, host: HostState, results: readonly CheckResult[]): string {
  const booted = bootedDeployment(host);
  const short = (id: string): string => `${id.slice(0, 12)}${id.slice(64)}`;
  const name = (each: { stateroot: string; id: string } | undefined): string =>
    each === undefined ? 'unknown' : `${each.stateroot} ${short(each.id)}`;
  const { staged } = host;
  const locked = staged.kind === 'staged' && (staged.deployment.locked || host.lockMarker) ? ', locked' : '';
  const rows = [
    ['booted', name(booted)],
    [
      'staged',
      staged.kind === 'none'
        ? 'nothing'
        : staged.kind === 'unreadable'
          ? 'unreadable'
          : `${name({ stateroot: staged.deployment.target.stateroot, id: staged.id })}${locked}`,
    ],
    ...host.menu.map((entry, index) => [
      index === 0 ? 'boot default' : `boot entry ${index}`,
      name(entry.target),
    ]),
    ...host.deployments
      .filter((each) => !each.listed && !each.booted)
      .map((each) => ['not listed', name(each)]),
  ];
  const found = results.flatMap(({ name: check, severity, result, findings }) =>
    result === 'ok'
      ? []
      : findings.map((text) => `${result === 'not-run' ? 'not run' : severity}: ${check}: ${text}\n`),
  );
  const bad = found.length === 0 ? `All ${results.length} checks passed.\n` : found.join('');
  return `${renderTable(streams, ['HOST', ''], rows)}\n${bad}`;
}
