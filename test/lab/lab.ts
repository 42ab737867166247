import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { bootBox, enter, type Bind, type Box } from './box.ts';
import { removeTree } from './cache.ts';
import { makeCgroup, removeCgroup, type Cgroup } from './cgroup.ts';
import { command, type CommandOptions, type Output } from './command.ts';
import { beginLab, cgroupName, ended, endWithProcess, labsDirectory } from './disposal.ts';
import * as files from './files.ts';
import { fingerprint, type HostFingerprint } from './fingerprint.ts';
import { startHolder } from './holder.ts';
import { guestBaseTar, hostImage, hostRef } from './image.ts';
import { makeInstance, type HostKind } from './instance.ts';
import { isLoopback, machineMirror } from './mirror.ts';
import { rpmDistribution } from '../rpm/distribution.ts';
import { bootEntries, stateroot, type BootEntry } from './sysroot.ts';

export type { Output } from './command.ts';

export interface LabOptions {
  /** Debian suite of the host; 'trixie' if not said. */
  suite?: string;
  /** Booted from OSTree (the default), or a plain Debian host. */
  ostree?: boolean;
  /** /sysroot is mounted read-only, with /etc, /var and /boot writable, as with `sysroot.readonly=true` on Fedora. */
  sysrootReadOnly?: boolean;
  /** /var is a file system of its own: a fresh ext4 of that many MiB (true: 8192, sparse). */
  separateVar?: boolean | number;
  binds?: readonly Bind[];
  /** Host name; a random suffix makes the lab unique. */
  name?: string;
  /** Debian suites, or `labos`, whose guest base tar is to be found inside, at `baseTar(suite)`. */
  bases?: readonly string[];
  /** Binds the repositories of the RPM distribution `labos` read-only at /run/lab/rpms (see ../rpm/serve.ts). */
  rpms?: boolean;
}

/** A disposable host: real PID 1, real machined, real staged deployments. */
export interface Lab {
  readonly id: string;
  readonly suite: string;
  /** Path on the machine of what is /sysroot inside; undefined for a plain host. */
  readonly sysroot: string | undefined;
  /** Runs a command in a transient unit of the host, and waits for it. */
  run(argv: readonly string[], options?: CommandOptions): Promise<Output>;
  /** argv, for a terminal of this machine, that runs a command in the namespaces of the host (outside of its units). */
  argv(command: readonly string[]): string[];
  copyIn(source: string, target: string): Promise<void>;
  copyOut(source: string, target: string): Promise<void>;
  writeFile(file: string, content: string | Uint8Array, mode?: number): Promise<void>;
  readFile(file: string): Promise<string>;
  /** Puts dist/guestree.js (or the given bundle) to /usr/local/bin/guestree. */
  installGuestree(bundle?: string): Promise<void>;
  /** Path inside of the guest base tar of a suite in `bases`. */
  baseTar(suite: string): string;
  /** Powers on. `entry` is the line of the boot menu, 0 for the default. */
  boot(entry?: number): Promise<void>;
  /** Shuts down in an orderly way and waits until the power is off. */
  poweroff(): Promise<void>;
  /** `poweroff`, then `boot`. */
  reboot(entry?: number): Promise<void>;
  /** SIGKILL to the supervisor and everything in the box; what was written stays, as after a crash with a write-through disk. */
  powerCut(): Promise<void>;
  /** journalctl of the host, also while it is off. */
  journal(args?: readonly string[]): Promise<string>;
  hostFingerprint(): Promise<HostFingerprint>;
  /** The boot menu, default first. */
  bootMenu(): Promise<BootEntry[]>;
  /** `ostree admin deploy --stage` of version 2 of the host. */
  stageHostUpdate(): Promise<void>;
  /** VERSION in /usr/lib/labhost-release: 1 or 2. */
  hostVersion(): Promise<number>;
  /** Boots the second line of the boot menu and removes the first, on ostree of any age; /etc is then the older one. */
  rollbackHost(): Promise<void>;
  /** Ends everything and leaves nothing. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a host and boots it. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const suite = options.suite ?? 'trixie';
  const { separateVar = false } = options;
  const kind: HostKind = {
    suite,
    ostree: options.ostree ?? true,
    sysrootReadOnly: options.sysrootReadOnly ?? false,
    separateVar: separateVar === true ? 8192 : separateVar === false ? undefined : separateVar,
  };
  const name = options.name ?? 'lab';
  const id = `${name}-${randomBytes(3).toString('hex')}`;
  const image = await hostImage(suite);
  const bases = await baseBinds(options.bases ?? [], options.rpms ?? false);
  const { proxy } = await machineMirror();
  const directory = path.join(labsDirectory(), id);
  const holder = await beginLab(id, () =>
    startHolder(path.join(directory, 'lock'), proxy !== undefined && isLoopback(new URL(proxy).hostname)),
  );
  endWithProcess(id, () => holder.stopNow());
  const console = path.join(directory, 'console');
  let power: { box: Box; cgroup: Cgroup } | undefined;

  async function dispose(): Promise<void> {
    await holder.stop();
    await off();
    await removeTree(directory);
    ended(id);
  }

  function running(): { box: Box; cgroup: Cgroup } {
    if (power === undefined) throw new Error(`lab ${id} is powered off`);
    return power;
  }

  /** A group that was killed as a whole is not used again: Linux 6.18 then kills what systemd starts in it at once. */
  async function off(): Promise<void> {
    power = undefined;
    await removeCgroup(cgroupName(id));
  }

  const visit: files.Visit = (argv, visitOptions) => running().box.visit(argv, visitOptions);

  const instance = await makeInstance(directory, holder, image, kind).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  const { sysroot } = instance;

  const lab: Lab = {
    id,
    suite,
    sysroot,
    run: async (argv, runOptions = {}) => {
      const { env = {}, cwd = '/root', timeout = 120_000, ...rest } = runOptions;
      const seconds = Math.ceil(timeout / 1000);
      const variables = { HOME: '/root', LANG: 'C.UTF-8', ...env };
      return visit(
        [
          ...['systemd-run', '--wait', '--pipe', '--collect', '--quiet', `--working-directory=${cwd}`],
          ...[`--property=RuntimeMaxSec=${seconds}`, '--service-type=exec'],
          ...Object.entries(variables).map(([key, value]) => `--setenv=${key}=${value}`),
          // systemd expands $NAME in the words of a unit's command; $$ is a dollar, in every version.
          ...['--', ...argv.map((word) => word.replaceAll('$', '$$$$'))],
        ],
        { ...rest, timeout: timeout + 10_000 },
      );
    },
    argv: (words) => [...enter(running().box.leader), ...words],
    copyIn: (source, target) => files.copyIn(visit, source, target),
    copyOut: (source, target) => files.copyOut(visit, source, target),
    writeFile: (file, content, mode) => files.put(visit, file, content, mode),
    readFile: async (file) => (await visit(['cat', file])).stdout,
    installGuestree: async (bundle = path.resolve(import.meta.dirname, '../../dist/guestree.js')) => {
      await files.copyIn(visit, bundle, '/usr/local/bin/guestree');
      await visit(['chmod', '755', '/usr/local/bin/guestree']);
    },
    baseTar: (base) => {
      if (!(options.bases ?? []).includes(base)) throw new Error(`start the lab with bases: ['${base}']`);
      return baseTarget(base);
    },
    boot: async (entry = 0) => {
      if (power !== undefined) throw new Error(`lab ${id} is powered on`);
      const { root, binds } = await instance.chosen(entry);
      const cgroup = await makeCgroup(cgroupName(id));
      const settings = { name: id, holder, cgroup, console };
      power = { cgroup, box: await bootBox(settings, root, [...binds, ...bases, ...(options.binds ?? [])]) };
    },
    poweroff: async () => {
      const { box } = running();
      await visit(['systemctl', 'poweroff', '--no-block'], { check: false });
      await withinTime(box.exited, 90_000, `lab ${id} does not power off`);
      await off();
    },
    reboot: async (entry) => {
      await lab.poweroff();
      await lab.boot(entry);
    },
    powerCut: async () => {
      const { box, cgroup } = running();
      await cgroup.kill();
      await box.exited;
      await off();
    },
    journal: async (args = []) => {
      const argv = ['journalctl', '--no-pager', ...args];
      if (power !== undefined) return (await visit(argv)).stdout;
      const elsewhere = [...argv, `--directory=${instance.varDirectory}/log/journal`];
      return (await command(holder.enter(elsewhere))).stdout;
    },
    hostFingerprint: () => fingerprint(sysroot, visit),
    bootMenu: () => (sysroot === undefined ? Promise.resolve([]) : bootEntries(sysroot)),
    stageHostUpdate: async () => {
      await lab.run(['ostree', 'admin', 'deploy', '--stage', `--os=${stateroot}`, hostRef(suite, 2)]);
    },
    hostVersion: async () =>
      Number(/^VERSION=(\d+)$/m.exec(await lab.readFile('/usr/lib/labhost-release'))?.[1]),
    rollbackHost: async () => {
      await lab.reboot(1);
      await lab.run(['ostree', 'admin', 'undeploy', '0']);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };

  try {
    await lab.boot();
    return lab;
  } catch (error) {
    await dispose();
    throw error;
  }
}

function baseTarget(suite: string): string {
  return `/run/lab/base-${suite}.tar`;
}

async function baseBinds(suites: readonly string[], rpms: boolean): Promise<Bind[]> {
  const binds: Bind[] = [];
  for (const suite of suites) {
    const source = suite === 'labos' ? (await rpmDistribution()).tar : await guestBaseTar(suite);
    binds.push({ source, target: baseTarget(suite), readOnly: true });
  }
  if (rpms)
    binds.push({ source: (await rpmDistribution()).repository, target: '/run/lab/rpms', readOnly: true });
  return binds;
}

async function withinTime(promise: Promise<void>, milliseconds: number, complaint: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(complaint));
    }, milliseconds);
  });
  await Promise.race([promise, late]).finally(() => {
    clearTimeout(timer);
  });
}
