import { Failure } from '../model/failure.ts';
import { exists } from '../system/files.ts';
import { CommandFailure, type Runner } from '../system/run.ts';
import type { HostApt } from './hostapt.ts';
import { emptyWithin, removeWithin, replaceWithin, statWithin } from './within.ts';

/**
 * What a small guest needs beyond the essential packages: an init that `machinectl shell` and `systemd-run --machine=`
 * can talk to, DHCP on host0 (systemd-networkd), names (systemd-resolved), and certificates.
 */
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'systemd-resolved'],
  ...['login', 'passwd', 'mount', 'procps', 'iproute2', 'netbase', 'ca-certificates'],
];

const ENABLED = ['systemd-networkd.service', 'systemd-resolved.service'];

/** A guest's packages are part of its tree: it cannot upgrade them by itself, and the tree has the database. */
const DISABLED = ['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer'];

const KEYRINGS = [
  'usr/share/keyrings/debian-archive-keyring.gpg',
  'usr/share/keyrings/debian-archive-keyring.pgp',
];

export interface DebianRequest {
  suite: string;
  mirror: string | undefined;
  host: HostApt;
  /** A directory that does not exist yet. */
  root: string;
  progress: (line: string) => void;
}

/**
 * Composes a Debian root file system with mmdebstrap(1).
 * @returns what the user should know
 * @throws Failure `not-found` for a suite that the mirror does not have, `network` if it cannot be reached
 */
export async function composeDebian(runner: Runner, request: DebianRequest): Promise<string[]> {
  const { suite, root } = request;
  const entries = archiveEntries(request);
  const keyring = await firstExisting(KEYRINGS.map((path) => `/${path}`));
  const signed = keyring === undefined ? '' : `[signed-by=${keyring}] `;
  try {
    await runner.run(
      'mmdebstrap',
      [
        ...['--mode=root', '--variant=minbase', '--format=directory'],
        `--include=${PACKAGES.join(',')}`,
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        ...request.host.transport.map((line) => `--aptopt=${line.replace(/;$/, '')}`),
        suite,
        root,
        // A file: archive would have to be visible inside of the new root, too; apt copies from copy:.
        ...entries.map((entry) => `deb ${signed}${entry.uri.replace(/^file:/, 'copy:')} ${entry.suite} main`),
      ],
      { onLine: request.progress },
    );
  } catch (error) {
    if (error instanceof CommandFailure)
      throw composeFailure(error, suite, entries[0]?.uri ?? 'that mmdebstrap uses by default');
    throw error;
  }
  await configure(runner, root, entries);
  const alone = request.mirror !== undefined && suite !== 'sid' && suite !== 'unstable';
  return alone
    ? [
        `Only the suite ${suite} of ${request.mirror ?? ''} is used; add its security suite to /etc/apt/sources.list.d in the guest if it has one.`,
      ]
    : [];
}

export interface ArchiveEntry {
  uri: string;
  suite: string;
}

/**
 * The suites that belong to a release; sid has neither updates nor security. None on a host that knows no Debian
 * archive: mmdebstrap(1) then uses its own default, and writes it into the tree.
 */
export function archiveEntries(request: Pick<DebianRequest, 'suite' | 'mirror' | 'host'>): ArchiveEntry[] {
  const { suite, mirror, host } = request;
  if (mirror !== undefined) return [{ uri: mirror, suite }];
  const uri = host.archive;
  if (uri === undefined) return [];
  if (['sid', 'unstable', 'experimental', 'rc-buggy'].includes(suite)) return [{ uri, suite }];
  return [
    { uri, suite },
    { uri, suite: `${suite}-updates` },
    ...(host.security === undefined ? [] : [{ uri: host.security, suite: `${suite}-security` }]),
  ];
}

/** sources.list(5), deb822 style. */
export function renderSources(entries: readonly ArchiveEntry[], keyring: string | undefined): string {
  const uris = [...new Set(entries.map((entry) => entry.uri))];
  return uris
    .map((uri) =>
      [
        'Types: deb',
        `URIs: ${uri}`,
        `Suites: ${entries
          .filter((entry) => entry.uri === uri)
          .map((entry) => entry.suite)
          .join(' ')}`,
        'Components: main',
        ...(keyring === undefined ? [] : [`Signed-By: /${keyring}`]),
        '',
      ].join('\n'),
    )
    .join('\n');
}

async function configure(runner: Runner, root: string, entries: readonly ArchiveEntry[]): Promise<void> {
  const keyrings = await Promise.all(
    KEYRINGS.map(async (path) => [path, await statWithin(root, path)] as const),
  );
  await removeWithin(root, 'etc/apt/apt.conf.d/99mmdebstrap');
  if (entries.length > 0) {
    await removeWithin(root, 'etc/apt/sources.list');
    await emptyWithin(root, 'etc/apt/sources.list.d');
    await replaceWithin(
      root,
      'etc/apt/sources.list.d/debian.sources',
      renderSources(entries, keyrings.find(([, found]) => found !== undefined)?.[0]),
    );
  }
  await replaceWithin(
    root,
    'etc/apt/apt.conf.d/80guestree',
    '// Guests stay small; say --install-recommends by setting this to "true" in the guest.\nAPT::Install-Recommends "false";\n',
  );
  // The guest's end of a veth pair is called host0; systemd ships 80-container-host0.network for it.
  await runner.run('systemctl', [`--root=${root}`, 'enable', ...ENABLED]);
  await runner.run('systemctl', [`--root=${root}`, 'disable', ...DISABLED]);
}

function composeFailure(error: CommandFailure, suite: string, uri: string): Failure {
  const { stdout, stderr } = error.result;
  const text = `${stdout}${stderr}`;
  const reached =
    /(?:Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection failed|Connection timed out|Cannot initiate)[^\n]*/.exec(
      text,
    );
  if (reached) {
    return new Failure('network', `the Debian mirror ${uri} cannot be reached: ${reached[0].trim()}`, {
      cause: error,
      hint: 'Check the network and proxy, or name another mirror with --mirror=URL.',
    });
  }
  if (/does not have a Release file|404 +Not Found|File not found/.test(text)) {
    return new Failure('not-found', `the mirror ${uri} has no Debian suite "${suite}"`, {
      cause: error,
      hint: 'Use a suite that it has, for example debian:trixie or debian:bookworm.',
    });
  }
  return error;
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}
