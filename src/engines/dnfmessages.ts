import { Failure } from '../model/failure.ts';
import type { PackageChange } from './engine.ts';

/**
 * What dnf says, turned into a failure with a reason of ours. The sentences are those of dnf 4.23 as it printed them
 * (test/fixtures/command/dnf-*), and of dnf5's source where it says them otherwise; dnf has no machine-readable errors.
 * They are in English because the build runs with LC_ALL=C.UTF-8.
 */
export function dnfFailure(output: string, exitCode: number): Failure {
  for (const [pattern, make] of RULES) {
    const match = pattern.exec(output);
    if (match) return make(match, output);
  }
  return new Failure('packages', `dnf failed with exit code ${exitCode}: ${lastLines(output, 8)}`, {
    hint: 'Read the lines above; run the same command again with --verbose to see everything that dnf printed.',
  });
}

const NETWORK_HINT =
  'Check the network and the repositories (etc/yum.repos.d of the guest), then run the same command again.';

const RULES: readonly (readonly [RegExp, (match: RegExpExecArray, output: string) => Failure])[] = [
  [
    /No space left on device|database or disk is full|At least \S+ more space needed on the \S+ filesystem/,
    () =>
      new Failure('storage', 'no space left on the device while installing packages', {
        hint: 'Make space (guestree cleanup, df -h), then run the same command again.',
      }),
  ],
  [
    /Curl error \(37\)[^\n]*\[Couldn't open file ([^\]\n]+)\]/,
    (match) =>
      new Failure('packages', `a repository's key or file does not exist: ${match[1] ?? '?'}`, {
        hint: 'Put it there in the guest, or correct gpgkey= in /etc/yum.repos.d, then run the same command again.',
      }),
  ],
  [
    /(?:Failed to download metadata for repo|Errors during downloading metadata for repository) '([^']+)'(?:[^\n]*)(?:\n[^\n]*(Curl error[^\n]*|Status code[^\n]*))?/,
    (match) =>
      new Failure('network', `the repository "${match[1] ?? '?'}" cannot be read${because(match[2])}`, {
        hint: NETWORK_HINT,
      }),
  ],
  [
    /Could ?n[o']t (?:resolve host|connect to server)[^\n]*|All mirrors were (?:already )?tried[^\n]*|Error: Error downloading packages:[^\n]*|Cache-only enabled but no cache for '[^']*'/,
    (match) =>
      new Failure('network', `packages cannot be downloaded: ${match[0].trim()}`, { hint: NETWORK_HINT }),
  ],
  [
    /Unable to find a match: ([^\n]+)|No match for argument: ([^\n]+)/,
    (match) =>
      new Failure(
        'packages',
        `there is no package "${(match[1] ?? match[2] ?? '?').trim()}" in the guest's repositories`,
        {
          hint: 'Check the spelling and the repositories in the guest’s /etc/yum.repos.d; search in the guest with: dnf search WORD',
        },
      ),
  ],
  [
    /([^\n]*(?:is not signed|Public key for \S+ is not installed|public key is not installed|does not verify)[^\n]*)/i,
    (match) =>
      new Failure('packages', `a package cannot be trusted: ${(match[1] ?? '').trim()}`, {
        hint: 'Its repository has to sign it; put the key below /etc/pki/rpm-gpg of the guest and name it with gpgkey=.',
      }),
  ],
  [
    /(?:GPG check FAILED|Signature verification failed|PGP check[^\n]*failed)[^\n]*/i,
    (match, output) =>
      new Failure('packages', `the signature of a package is wrong: ${lastLines(output, 4) || match[0]}`, {
        hint: 'Put the right key below /etc/pki/rpm-gpg of the guest and name it with gpgkey= in /etc/yum.repos.d.',
      }),
  ],
  [
    /(?:^Error: ?\n|Failed to resolve the transaction:\n)((?:(?: *Problem| {2}- )[^\n]*\n?)+)/m,
    (match) =>
      new Failure('packages', `the packages do not fit together:\n${(match[1] ?? '').trimEnd()}`, {
        hint: 'Ask for packages that fit, or bring everything up to date first with: guestree upgrade NAME',
      }),
  ],
  [
    /Transaction (?:test|check) error:\n((?: +[^\n]*\n?)+)/,
    (match) =>
      new Failure('packages', `the packages do not fit together:\n${(match[1] ?? '').trimEnd()}`, {
        hint: 'Two packages have the same file in different versions: ask for one of them only.',
      }),
  ],
  [
    /error: %(\w+)\(([^)]+)\) scriptlet failed, ([^\n]*)/,
    (match, output) =>
      new Failure(
        'packages',
        `the package "${match[2] ?? '?'}" could not be installed: its %${scriptletName(match[1])} script failed, ${match[3] ?? ''}`,
        {
          hint: `Its scripts run without network and without running services. It printed: ${scriptOutput(output, match.index)}`,
        },
      ),
  ],
  [
    /(?:Waiting for process with pid|Failed to obtain (?:the )?(?:transaction )?lock)[^\n]*/,
    (match) =>
      new Failure('locked', `another program uses the package cache: ${match[0]}`, {
        hint: 'Wait for the other guestree, then run the same command again.',
      }),
  ],
];

function because(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason.trim()}`;
}

/** rpm calls the failed one by its tag: %prein, %postin, %preun, %postun. */
function scriptletName(tag: string | undefined): string {
  return { prein: 'pre', postin: 'post' }[tag ?? ''] ?? tag ?? '?';
}

/** dnf -C found that metadata or packages are missing from the cache: they have to be downloaded first. */
export function lacksPackages(output: string): boolean {
  return /Cache-only enabled but no cache for|cannot be downloaded due to "--cacheonly"|cache for (?:repository|repo)[^\n]*(?:not found|missing)|in cacheonly mode|cache-only/i.test(
    output,
  );
}

/** What the user should know of an operation that went well: scripts that failed, repositories that were left out. */
export function dnfWarnings(output: string): string[] {
  const warnings: string[] = [];
  for (const match of output.matchAll(/^warning: %(\w+)\(([^)]+)\) scriptlet failed, ([^\n]*)/gm)) {
    warnings.push(
      `The %${scriptletName(match[1])} script of ${match[2] ?? '?'} failed, ${match[3] ?? ''}; rpm goes on after that, and the package may not be set up.`,
    );
  }
  for (const match of output.matchAll(/^Ignoring repositories: ([^\n]+)/gm))
    warnings.push(`Repositories that cannot be reached were left out: ${match[1] ?? ''}.`);
  return warnings;
}

/** Sections of dnf's transaction table that take packages away; rows below any other one bring packages. */
const REMOVING = /^Remov(?:ing|ed)\b/;
const NO_CHANGE = /^(?:Skipping|Reinstalling|Transaction Summary|Enabling|Disabling|Switching)/;

/**
 * The changes that `dnf upgrade --assumeno` announces: a table whose sections begin at the left edge, with one row a
 * package (name, architecture, version, repository, size). A row that is too long goes on in the next line, which is
 * indented more.
 */
export function parseTransaction(output: string, installed: ReadonlyMap<string, string>): PackageChange[] {
  const start = output.indexOf('\n===');
  const end = output.indexOf('\nTransaction Summary');
  if (start < 0 || end < 0) return [];
  const rows: { section: string; text: string }[] = [];
  let section = '';
  for (const line of output.slice(start, end).split('\n')) {
    if (/^ {2,}replacing\b/.test(line)) {
      const [, old = ''] = /replacing +(\S+)/.exec(line) ?? [];
      rows.push({ section: 'Removing', text: old.replace(/\.[^.]+$/, '') });
    } else if (/^ {2}/.test(line)) {
      const last = rows.at(-1);
      if (last !== undefined) last.text += line;
    } else if (/^ \S/.test(line)) rows.push({ section, text: line });
    else section = line;
  }
  return rows.flatMap(({ section: title, text }): PackageChange[] => {
    const [name, , version] = text.trim().split(/\s+/);
    if (name === undefined || name === 'Package' || NO_CHANGE.test(title)) return [];
    const from = installed.get(name);
    return [{ package: name, from, to: REMOVING.test(title) ? undefined : version }];
  });
}

/** What the script printed: the lines between dnf's own about running it and rpm's about its failure. */
function scriptOutput(output: string, failed: number): string {
  const before = output.slice(0, failed).split('\n');
  const since = before.findLastIndex((line) => /^ *(?:Running scriptlet|Installing|Preparing) *:/.test(line));
  return lastLines(before.slice(since + 1).join('\n'), 6) || 'nothing';
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
