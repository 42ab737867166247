import { chmod, readdir } from 'node:fs/promises';
import path from 'node:path';
import { cached, keyOf } from '../lab/cache.ts';
import { command } from '../lab/command.ts';
import { compose } from '../lab/image.ts';
import { machineMirror } from '../lab/mirror.ts';

/** A small RPM distribution, made from Debian's programs by real rpmbuild, rpmsign, createrepo_c and dnf. */
export interface RpmDistribution {
  /** Its root file system, bootable; the rpm database is at usr/lib/sysimage/rpm, as in Fedora. */
  tar: string;
  /**
   * Directory with the repositories `1/` (hello 1.0) and `2/` (hello 1.0 and 2.0), and RPM-GPG-KEY-labos. In both: broken
   * (its %pre fails), shaky (its %post fails), conflicting (with hello), unsigned, and labos-release.
   */
  repository: string;
}

const here = import.meta.dirname;
const specs = path.join(here, 'specs');

/** What the base package holds, and what builds the packages. */
const packages = [
  ...['systemd', 'systemd-sysv', 'systemd-resolved', 'dbus', 'libpam-systemd', 'libnss-myhostname'],
  ...['mount', 'util-linux', 'iproute2', 'procps', 'passwd', 'netbase', 'ostree', 'ostree-boot'],
  ...['rpm', 'dnf', 'createrepo-c', 'gnupg'],
];

/** The distribution LabOS 1, built once per set of inputs (about a minute and a half). */
export async function rpmDistribution(): Promise<RpmDistribution> {
  const mirror = await machineMirror();
  const names = [
    ...['distribution.ts', 'compose.sh', 'packages.sh', '../lab/image.ts'],
    ...(await readdir(specs)).sort().map((name) => `specs/${name}`),
  ];
  const key = await keyOf(
    [JSON.stringify(mirror)],
    names.map((name) => path.join(here, name)),
  );
  const directory = await cached('rpm-labos', key, async (fresh) => {
    const root = path.join(fresh, 'root');
    await compose(mirror, 'trixie', packages, root);
    await chmod(fresh, 0o755);
    await command(['bash', path.join(here, 'compose.sh'), root, specs, fresh], { timeout: 5 * 60_000 });
    await command(['rm', '-rf', '--one-file-system', root]);
  });
  return { tar: path.join(directory, 'base-labos.tar'), repository: path.join(directory, 'repository') };
}
