import { Failure } from '../model/failure.ts';

/**
 * What rpm-ostree says, turned into a failure with a reason of ours. It has no machine-readable errors; the sentences are
 * those of its own source (src/daemon, src/libpriv, src/app), of libdnf, of libostree and of D-Bus. They come as
 * `error: …`, since 2021.6 all of them by way of the daemon.
 */
export function rpmOstreeFailure(output: string, exitCode: number): Failure {
  for (const [pattern, make] of RULES) {
    const match = pattern.exec(output);
    if (match) return make(match);
  }
  return new Failure('failed', `rpm-ostree failed with exit code ${exitCode}: ${whyOf(output)}`, {
    hint: 'Run the same command with --verbose to see everything that rpm-ostree printed.',
  });
}

type Rule = readonly [RegExp, (match: RegExpExecArray) => Failure];

const LATER = 'Wait until it has finished (rpm-ostree status shows it), then run the same command again.';
const NETWORK_HINT =
  'Check the network and the repositories in etc/yum.repos.d, then run the same command again.';
const DAEMON_HINT = 'See why with: systemctl status rpm-ostreed.service';

const RULES: readonly Rule[] = [
  [
    /Transaction in progress: ([^\n]*)/,
    (match) => new Failure('locked', `rpm-ostree is busy: ${text(match[1])}`, { hint: LATER }),
  ],
  [
    /Reboot initiated, cannot start new transaction/,
    () => new Failure('conflict', 'rpm-ostree is rebooting the host', { hint: 'Wait for the reboot.' }),
  ],
  [
    /This system was not booted via libostree/,
    () =>
      new Failure('unsupported', 'rpm-ostree works on a system that was booted from OSTree only', {
        hint: 'Use another engine: Engine=dnf in the guest’s definition.',
      }),
  ],
  [
    /OS name "([^"]*)" not found|No previous deployment for OS '([^']*)'/,
    (match) =>
      new Failure('not-found', `rpm-ostree knows no deployment of the OS "${text(match[1] ?? match[2])}"`, {
        hint: 'See the deployments with: rpm-ostree status',
      }),
  ],
  [
    /Updates and deployments are driven by ([^\n]*)/,
    (match) =>
      new Failure('conflict', `deployments are driven by another program: ${text(match[1])}`, {
        hint: 'Stop it for the time of the change, then run the same command again.',
      }),
  ],
  [
    /`LockLayering=true`/,
    () =>
      new Failure('unsupported', 'the configuration of rpm-ostree forbids to layer packages', {
        hint: 'Remove LockLayering=true from /etc/rpm-ostreed.conf, or use another engine.',
      }),
  ],
  [
    /(?:not allowed for user|Authorization error: [^\n]*|This command requires root privileges|AccessDenied)/,
    (match) =>
      new Failure('not-root', `rpm-ostree refuses: ${text(match[0])}`, {
        hint: 'Run the command as root, or allow it in polkit (org.projectatomic.rpmostree1).',
      }),
  ],
  [
    /(?:Unit rpm-ostreed\.service (?:not found|could not be found|is masked)|org\.projectatomic\.rpmostree1 was not provided by any \.service files)/,
    (match) =>
      new Failure('missing-program', `the daemon of rpm-ostree is not there: ${text(match[0])}`, {
        hint: DAEMON_HINT,
      }),
  ],
  [
    /(?:Bus owner changed, aborting|Failed to connect to (?:system )?(?:scope )?bus|Could not connect: [^\n]*|Loading sysroot: [^\n]*|Job for rpm-ostreed\.service failed|Failed to activate service 'org\.projectatomic\.rpmostree1'|^error: exit(?:ed with code| code| status):? ?\d+$)/m,
    (match) =>
      new Failure('failed', `the daemon of rpm-ostree does not answer: ${text(match[0])}`, {
        hint: DAEMON_HINT,
      }),
  ],
  [
    /No space left on device|Disk quota exceeded|min-free-space-[a-z]+[^\n]*would be exceeded|not enough (?:free )?space/i,
    () =>
      new Failure('storage', 'no space left on the device while rpm-ostree was working', {
        hint: 'Make space (guestree cleanup, df -h), then run the same command again.',
      }),
  ],
  [
    /Packages not found: ([^\n]*)/,
    (match) =>
      new Failure('packages', `the package repositories do not have: ${text(match[1])}`, {
        hint: 'Check the spelling, and the repositories in etc/yum.repos.d of the guest.',
      }),
  ],
  [
    /Package\/capability '([^']*)' is not currently requested/,
    (match) =>
      new Failure('not-found', `the package "${text(match[1])}" is not layered`, {
        hint: 'See what is with: rpm-ostree status',
      }),
  ],
  [
    /Package\/capability '([^']*)' is already requested|"([^"]*)" is already provided by: ?([^\n]*)\. Use/,
    (match) =>
      new Failure('conflict', `the package "${text(match[1] ?? match[2])}" is there already`, {
        hint: 'Nothing has to be done for it.',
      }),
  ],
  [
    /Could not depsolve transaction[^\n]*(?:\n[^\n]+){0,6}|[^\n]*(?:nothing provides|conflicting requests)[^\n]*/,
    (match) =>
      new Failure('packages', `the packages do not fit together: ${text(match[0])}`, {
        hint: 'Ask for packages that fit the base tree, or bring the base up to date first: guestree upgrade NAME',
      }),
  ],
  [
    /(?:cannot be verified|GPG (?:check|signature)[^\n]*(?:failed|invalid)|is not signed|Failed to validate GPG[^\n]*)/i,
    (match) =>
      new Failure('packages', `a package or a repository cannot be trusted: ${text(match[0])}`, {
        hint: 'Put the key that signs it into etc/pki/rpm-gpg of the guest and name it with gpgkey=.',
      }),
  ],
  [
    /(?:[^\n]*(?:Could not resolve host|Couldn't resolve host|Failed to connect to [^\n]* port|Connection refused|Connection timed out|Network is unreachable|Timeout was reached|Curl error)[^\n]*|Updating rpm-md repo[^\n]*|Cannot download [^\n]*|Downloading from '[^\n]*)/,
    (match) =>
      new Failure('network', `packages cannot be downloaded: ${text(match[0])}`, { hint: NETWORK_HINT }),
  ],
  [
    /Running (?:%?[a-z]+ )?(?:script\S*|%[a-z]+)(?: for ([^:\n]*))?: ?([^\n]*(?:\n[^\n]+){0,4})/,
    (match) =>
      new Failure('packages', `a script of the package ${text(match[1] ?? '')} failed: ${text(match[2])}`, {
        hint: 'Its scripts run without network and without running services.',
      }),
  ],
  [
    /([^\n]*chronologically older[^\n]*)/,
    (match) =>
      new Failure('conflict', `the new tree is older: ${text(match[1])}`, {
        hint: 'Allow it with --allow-downgrade, if that is meant.',
      }),
  ],
  [
    /Refspec '([^']*)' not found/,
    (match) =>
      new Failure('not-found', `there is no ref "${text(match[1])}"`, {
        hint: 'See the refs with: ostree refs',
      }),
  ],
];

/** The error itself: everything from the last line that begins with `error:`. */
function whyOf(output: string): string {
  const at = output.lastIndexOf('error: ');
  const why =
    at < 0 ? output.trimEnd().split('\n').slice(-6).join('\n') : output.slice(at + 'error: '.length);
  return text(why.trim());
}

/** Words of another program in a sentence of ours: in one line, and without what a terminal obeys. */
function text(value: string | undefined): string {
  return (value ?? '')
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/^\s*error: /, '')
    .trim()
    .slice(0, 600);
}
