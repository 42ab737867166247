import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cached, keyOf } from './cache.ts';
import { command } from './command.ts';
import { machineMirror, proxyInBox, sourceLines, type Mirror } from './mirror.ts';

/** A lab host, ready to be instantiated. */
export interface HostImage {
  /** Bare repository with the refs labhost/SUITE/1 and labhost/SUITE/2. */
  repo: string;
  /** The same packages as an ordinary Debian root directory. */
  plain: string;
}

const here = import.meta.dirname;
const file = (name: string): string => path.join(here, name);

/** What the host itself needs, and what tests run on it (package repositories of their own, nested guests). */
const hostPackages = words(
  'systemd systemd-sysv systemd-container udev dbus libpam-systemd libnss-myhostname ostree ostree-boot',
  'mount util-linux e2fsprogs iproute2 procps kmod zstd less nftables netcat-openbsd',
  'ca-certificates debian-archive-keyring gpgv mmdebstrap apt-utils dpkg-dev rpm dnf createrepo-c',
);

/** A small machine that boots, gets an address by DHCP, and can be entered with `machinectl shell`. */
const guestPackages = words(
  'systemd systemd-sysv systemd-resolved dbus libpam-systemd libnss-myhostname',
  'mount util-linux iproute2 procps passwd adduser netbase',
);

/** Ref of the lab host's tree; version 2 differs from 1 only in /usr/lib/labhost-release. */
export function hostRef(suite: string, version: number): string {
  return `labhost/${suite}/${version}`;
}

/** The lab host of a Debian suite, built once per set of inputs (about half a minute). */
export async function hostImage(suite: string): Promise<HostImage> {
  const mirror = await machineMirror();
  const files = [file('image.ts'), file('host-tree.sh'), file('ostree-tree.sh')];
  const key = await keyOf([suite, JSON.stringify(mirror)], files);
  const directory = await cached(`host-${suite}`, key, async (fresh) => {
    const plain = path.join(fresh, 'plain');
    const tree = path.join(fresh, 'tree');
    await compose(mirror, suite, hostPackages, plain);
    await command(['bash', file('host-tree.sh'), plain]);
    await writeSources(plain, mirror, suite);
    await command(['cp', '-a', '--reflink=auto', plain, tree]);
    await command(['bash', file('ostree-tree.sh'), tree]);
    await commitBoth(path.join(fresh, 'repo'), tree, path.join(fresh, 'update'), suite);
    await command(['rm', '-rf', tree]);
  });
  return { repo: path.join(directory, 'repo'), plain: path.join(directory, 'plain') };
}

/** A tar of a bootable Debian guest, for `guestree create NAME --from tar:PATH`; built once per set of inputs. */
export async function guestBaseTar(suite: string): Promise<string> {
  const mirror = await machineMirror();
  const key = await keyOf([suite, JSON.stringify(mirror)], [file('image.ts'), file('guest-tree.sh')]);
  const directory = await cached(`guest-${suite}`, key, async (fresh) => {
    const tree = path.join(fresh, 'tree');
    await compose(mirror, suite, guestPackages, tree);
    await command(['bash', file('guest-tree.sh'), tree]);
    await writeSources(tree, mirror, suite);
    await command([
      'tar',
      '--create',
      '--file',
      path.join(fresh, `base-${suite}.tar`),
      '--numeric-owner',
      '--xattrs',
      '--sort=name',
      '--directory',
      tree,
      '.',
    ]);
    await command(['rm', '-rf', tree]);
  });
  return path.join(directory, `base-${suite}.tar`);
}

function words(...lines: string[]): string[] {
  return lines.join(' ').split(' ');
}

/** A Debian root directory. */
export async function compose(
  mirror: Mirror,
  suite: string,
  packages: string[],
  directory: string,
): Promise<void> {
  const excluded = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/info/*', '/usr/share/locale/*'];
  const aptOptions = [
    'Acquire::Languages "none"',
    ...(mirror.proxy === undefined ? [] : [`Acquire::http::Proxy "${mirror.proxy}"`]),
  ];
  await command(
    [
      ...['mmdebstrap', '--quiet', '--mode=root', '--variant=apt', '--format=directory'],
      ...excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...aptOptions.map((option) => `--aptopt=${option}`),
      `--include=${packages.join(',')}`,
      suite,
      directory,
      ...sourceLines(mirror, suite),
    ],
    { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeout: 10 * 60_000 },
  );
}

/** The sources and the proxy as they work inside a box. */
async function writeSources(tree: string, mirror: Mirror, suite: string): Promise<void> {
  await writeFile(path.join(tree, 'etc/apt/sources.list'), `${sourceLines(mirror, suite).join('\n')}\n`);
  const settings = ['Acquire::Languages "none";'];
  if (mirror.proxy !== undefined) settings.push(`Acquire::http::Proxy "${proxyInBox(mirror.proxy)}";`);
  await writeFile(path.join(tree, 'etc/apt/apt.conf.d/90lab'), `${settings.join('\n')}\n`);
}

/** Version 1 is the whole tree, version 2 the same with one file changed on top. */
async function commitBoth(repo: string, tree: string, update: string, suite: string): Promise<void> {
  const commit = async (version: number, sources: readonly string[]): Promise<void> => {
    await command([
      ...['ostree', `--repo=${repo}`, 'commit', `--branch=${hostRef(suite, version)}`, ...sources],
      ...[`--subject=lab host ${version}`, `--add-metadata-string=version=${version}`, '--fsync=false'],
    ]);
  };
  await command(['ostree', `--repo=${repo}`, 'init', '--mode=bare']);
  await commit(1, [`--tree=dir=${tree}`]);
  await mkdir(path.join(update, 'usr/lib'), { recursive: true });
  await writeFile(path.join(update, 'usr/lib/labhost-release'), 'VERSION=2\n');
  await commit(2, [`--tree=ref=${hostRef(suite, 1)}`, `--tree=dir=${update}`]);
}
