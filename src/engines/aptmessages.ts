import { Failure } from '../model/failure.ts';
import type { PackageChange } from './engine.ts';

/**
 * What apt-get says, turned into a failure with a reason of ours. apt has no machine-readable errors; the sentences
 * are those of apt's own source (cmdline/, apt-private/, apt-pkg/), printed in English because the build runs with
 * LC_ALL=C.UTF-8.
 */
export function aptFailure(output: string, exitCode: number): Failure {
  for (const [pattern, make] of RULES) {
    const match = pattern.exec(output);
    if (match) return make(match, output);
  }
  return new Failure('packages', `apt-get failed with exit code ${exitCode}: ${lastLines(output, 8)}`, {
    hint: 'Read the lines above; run the same command with --verbose to see everything that apt-get printed.',
  });
}

const NETWORK_HINT =
  'Check the network and the package sources (etc/apt of the guest), then run the same command again.';

const RULES: readonly (readonly [RegExp, (match: RegExpExecArray, output: string) => Failure])[] = [
  [
    /No space left on device|You don't have enough free space in/,
    () =>
      new Failure('storage', 'no space left on the device while installing packages', {
        hint: 'Make space (guestree cleanup, df -h), then run the same command again.',
      }),
  ],
  [
    /E: Unable to locate package (\S+)|E: Couldn't find any package by (?:glob|regex) '([^']+)'/,
    (match) =>
      new Failure(
        'packages',
        `there is no package "${match[1] ?? match[2] ?? '?'}" in the guest's package sources`,
        {
          hint: 'Check the spelling and the sources in the guest’s /etc/apt; search in the guest with: apt-cache search WORD',
        },
      ),
  ],
  [
    /E: Package '?([^\s']+)'? has no installation candidate/,
    (match) =>
      new Failure(
        'packages',
        `the package "${match[1] ?? '?'}" cannot be had from the guest's package sources`,
        {
          hint: 'It is obsolete or virtual: choose a package that provides it, or add the source that has it to /etc/apt.',
        },
      ),
  ],
  [
    /E: Version '([^']+)' for '([^']+)' was not found/,
    (match) =>
      new Failure('packages', `the sources have no version "${match[1] ?? '?'}" of "${match[2] ?? '?'}"`, {
        hint: `Ask for the package without "=VERSION", or see its versions in the guest with: apt-cache policy ${match[2] ?? ''}`,
      }),
  ],
  [
    /The following packages have unmet dependencies:\n((?: .*\n)+)/,
    (match) =>
      new Failure('packages', `the packages do not fit together:\n${(match[1] ?? '').trimEnd()}`, {
        hint: 'Ask for packages that fit, or bring everything up to date first with: guestree upgrade NAME',
      }),
  ],
  [
    /E: (?:Held packages were changed|Packages were downgraded|Essential packages were removed|Trivial Only)[^\n]*/,
    (match) =>
      new Failure('packages', `apt refuses the change: ${match[0].slice(3)}`, {
        hint: 'Release the held package in the guest’s apt preferences, or ask for other packages.',
      }),
  ],
  [
    /(?:Temporary failure resolving|Could not resolve|Could not connect to|Unable to connect to|Connection failed|Connection timed out|Cannot initiate the connection)[^\n]*/,
    (match) =>
      new Failure('network', `packages cannot be downloaded: ${match[0].trim()}`, { hint: NETWORK_HINT }),
  ],
  [
    /E: The repository '([^']+)' (?:does not have a Release file|no longer has a Release file)/,
    (match) =>
      new Failure('network', `the package source ${match[1] ?? ''} does not exist or cannot be reached`, {
        hint: NETWORK_HINT,
      }),
  ],
  [
    /(?:E|W|Err)[^\n]*(?:NO_PUBKEY|is not signed|EXPKEYSIG|couldn't be verified because the public key|cannot be authenticated)[^\n]*/,
    (match) =>
      new Failure('packages', `a package source cannot be trusted: ${match[0]}`, {
        hint: 'Install the key that signs it below /etc/apt/keyrings of the guest and name it with Signed-By:.',
      }),
  ],
  [
    /E: (?:Could not get lock|Unable to lock)[^\n]*/,
    (match) =>
      new Failure('locked', `another program uses the package cache: ${match[0].slice(3)}`, {
        hint: 'Wait for the other guestree, then run the same command again.',
      }),
  ],
  [
    /(?:dpkg: error processing (?:package|archive) (\S+) \(?--(?:configure|unpack|install)\)?:\n([^\n]*))/,
    (match, output) =>
      new Failure(
        'packages',
        `the package "${match[1] ?? '?'}" could not be installed: ${(match[2] ?? '').trim()}`,
        {
          hint: `Its scripts run without network and without running services. It printed: ${scriptOutput(output)}`,
        },
      ),
  ],
  [
    /E: (?:Failed to fetch|Unable to fetch some archives|Some index files failed)[^\n]*/,
    (match) =>
      new Failure('network', `packages cannot be downloaded: ${match[0].slice(3)}`, { hint: NETWORK_HINT }),
  ],
];

/** apt-get --no-download found that archives are missing from the cache: they have to be downloaded first. */
export function lacksArchives(output: string): boolean {
  return /Unable to fetch some archives|Some files failed to download|Unable to find a source package|--no-download/.test(
    output,
  );
}

/**
 * The changes that `apt-get --simulate dist-upgrade` announces: `Inst NAME [OLD] (NEW SOURCE [ARCH])` and
 * `Remv NAME [OLD]` (apt-pkg/algorithms.cc, pkgSimulate::Install and Remove).
 */
export function parseSimulation(output: string): PackageChange[] {
  const changes: PackageChange[] = [];
  for (const line of output.split('\n')) {
    const install = /^Inst (\S+)(?: \[([^\]]+)\])? \((\S+)/.exec(line);
    if (install) changes.push({ package: install[1] ?? '', from: install[2], to: install[3] });
    const remove = /^Remv (\S+)(?: \[([^\]]+)\])?/.exec(line);
    if (remove) changes.push({ package: remove[1] ?? '', from: remove[2], to: undefined });
  }
  return changes;
}

function scriptOutput(output: string): string {
  const before = output.slice(0, output.indexOf('dpkg: error processing'));
  return lastLines(before, 6);
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
