import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { AptEngine } from '../../src/engines/apt.ts';
import type { BuildRequest, BuildResult, BuildTarget } from '../../src/engines/engine.ts';
import { parsePackageName, type Commit } from '../../src/model/names.ts';
import { parseSource } from '../../src/model/source.ts';
import { Repo } from '../../src/system/ostree.ts';
import { createRunner } from '../../src/system/run.ts';
import { Bases } from '../../src/tree/base.ts';
import { observeHostApt } from '../../src/tree/hostapt.ts';
import { EMPTY_REGISTRY } from '../../src/tree/ids.ts';

/** One Debian suite is enough here; the lab boots others. */
export const SUITE = 'bookworm';

export const runner = createRunner({ started: () => undefined }, process.env);

export interface Workshop {
  directory: string;
  pool: Repo;
  engine: AptEngine;
  bases: Bases;
  /** The Debian base, composed once per machine and kept while the code that makes it does not change. */
  base: Commit;
  cache: string;
  request(options: RequestOptions): BuildRequest & BuildTarget;
  /** Builds, and checks that neither a mount nor the scratch directory is left, also after a failure. */
  build(options: RequestOptions): Promise<BuildResult>;
  ostree(...args: string[]): string;
  /** A new directory for one test. */
  newDirectory(): string;
  /** What apt-get printed in the last build. */
  output: string[];
  remove(): void;
}

interface RequestOptions extends Partial<Omit<BuildRequest & BuildTarget, 'packages'>> {
  packages?: readonly string[];
}

export async function openWorkshop(name: string): Promise<Workshop> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? '/root/.cache', 'guestree-test', 'layers');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync('/var/tmp/guestree-layers-');
  const host = await observeHostApt(runner);
  const engine = new AptEngine({ runner, now: () => new Date(), transport: host.transport, proxies: {} });
  const bases = new Bases({ runner, host, architecture: process.arch, engine });
  const pool = new Repo(runner, `${directory}/pool`);
  await pool.init();
  const base = await keptBase(bases, pool, cache, name);
  const output: string[] = [];
  const request = (options: RequestOptions): BuildRequest & BuildTarget => ({
    ...{
      pool,
      base,
      upgrade: false,
      registry: EMPTY_REGISTRY,
      scratch: `${directory}/scratch`,
      cache: `${cache}/apt-${name}`,
    },
    ...{
      hostname: 'mail',
      ref: 'guest/mail/1/tree',
      subject: 'test',
      progress: (line: string) => output.push(line),
    },
    ...options,
    packages: (options.packages ?? []).map(parsePackageName),
  });
  return {
    ...{ directory, pool, engine, bases, base, cache: `${cache}/apt-${name}`, request, output },
    async build(options) {
      try {
        return await engine.build(request(options));
      } finally {
        expect(mountsBelow(directory)).toEqual([]);
        expect(existsSync(`${directory}/scratch`)).toBe(false);
      }
    },
    ostree: (...args) =>
      execFileSync('ostree', [`--repo=${pool.path}`, ...args], { encoding: 'utf8', maxBuffer: 100_000_000 }),
    newDirectory: () => mkdtempSync(`${directory}/case-`),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function keptBase(bases: Bases, pool: Repo, cache: string, name: string): Promise<Commit> {
  const code = readdirSync('src/tree')
    .sort()
    .map((name) => readFileSync(`src/tree/${name}`));
  const key = createHash('sha256').update(SUITE).update(Buffer.concat(code)).digest('hex').slice(0, 12);
  const kept = `${cache}/base-${key}`;
  const fetch = async (into: Repo): Promise<Commit> =>
    (
      await bases.fetch({
        ...{
          pool: into,
          source: parseSource(`debian:${SUITE}`),
          scratch: `${into.path}.scratch`,
          cache: `${cache}/apt-${name}`,
        },
        progress: () => undefined,
      })
    ).commit;
  if (!existsSync(kept)) {
    for (const old of readdirSync(cache).filter((name) => name.startsWith('base-')))
      rmSync(`${cache}/${old}`, { recursive: true });
    const fresh = `${cache}/.new-${process.pid}`;
    await new Repo(runner, fresh).init();
    await fetch(new Repo(runner, fresh));
    // The other test file may have been faster.
    if (existsSync(kept)) rmSync(fresh, { recursive: true });
    else renameSync(fresh, kept);
  }
  const commit = await fetch(new Repo(runner, kept));
  await pool.pullLocal(kept, commit);
  await pool.setRef('kept', commit);
  return commit;
}

export interface TinyPackage {
  name: string;
  version?: string;
  depends?: string;
  files?: Readonly<Record<string, string>>;
  postinst?: string;
}

/** A package source of a few tiny packages, and the etc directory of a guest that uses it and nothing else. */
export function makeArchive(
  directory: string,
  packages: readonly TinyPackage[],
): { archives: string[]; configuration: string } {
  const archive = `${directory}/archive`;
  mkdirSync(archive, { recursive: true });
  for (const each of packages) {
    const version = each.version ?? '1.0';
    const root = `${directory}/deb/${each.name}_${version}`;
    const write = (path: string, text: string, mode = 0o644): void => {
      mkdirSync(dirname(`${root}/${path}`), { recursive: true });
      writeFileSync(`${root}/${path}`, text);
      chmodSync(`${root}/${path}`, mode);
    };
    const control = [
      `Package: ${each.name}`,
      `Version: ${version}`,
      'Architecture: all',
      'Maintainer: Nobody <nobody@example.com>',
      ...(each.depends === undefined ? [] : [`Depends: ${each.depends}`]),
      'Description: a test',
      '',
    ];
    write('DEBIAN/control', control.join('\n'));
    if (each.postinst !== undefined) write('DEBIAN/postinst', `#!/bin/sh\n${each.postinst}\n`, 0o755);
    for (const [path, text] of Object.entries(each.files ?? {}))
      write(path, text, path.startsWith('etc/init.d/') ? 0o755 : 0o644);
    execFileSync('dpkg-deb', ['--root-owner-group', '--build', root, archive], { stdio: 'ignore' });
  }
  writeFileSync(
    `${archive}/Packages`,
    execFileSync('apt-ftparchive', ['packages', '.'], { cwd: archive, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const configuration = `${directory}/etc`;
  mkdirSync(`${configuration}/apt`, { recursive: true });
  writeFileSync(`${configuration}/apt/sources.list`, `deb [trusted=yes] copy:${archive} ./\n`);
  return { archives: [archive], configuration };
}

/** A few files that pass for an operating system, without dpkg. */
export function makeTinyRoot(root: string): void {
  for (const path of [
    'usr/bin',
    'usr/sbin',
    'usr/lib/systemd',
    'usr/local/bin',
    'etc',
    'var/lib/app',
    'root',
    'home',
    'dev',
    'boot',
    'var/log',
    'var/tmp',
    'var/cache/apt',
    'var/cache/debconf',
    'var/lib/apt/lists',
  ]) {
    mkdirSync(`${root}/${path}`, { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib']) execFileSync('ln', ['-s', `usr/${name}`, `${root}/${name}`]);
  execFileSync('cp', ['/bin/true', `${root}/usr/bin/sh`]);
  execFileSync('cp', ['/bin/true', `${root}/usr/lib/systemd/systemd`]);
  chmodSync(`${root}/var/tmp`, 0o1777);
  writeFileSync(`${root}/usr/lib/os-release`, 'ID=tiny\n');
  writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\napp:x:500:500::/:/bin/sh\n');
  writeFileSync(`${root}/etc/group`, 'root:x:0:\napp:x:500:\n');
  writeFileSync(`${root}/var/lib/app/a file`, 'state\n');
  writeFileSync(`${root}/root/.profile`, '# profile\n');
}

/** Mount points below a directory. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ').slice(4, 5))
    .filter((point) => point.startsWith(directory));
}

export function lineOf(text: string, name: string): string {
  return text.split('\n').find((line) => line.startsWith(`${name}:`)) ?? `no ${name}`;
}

/** Runs a tree's own systemd-tmpfiles on a /var, as its boot does. */
export function seed(shop: Workshop, commit: string, variable: string): void {
  const root = `${shop.directory}/seed-${commit.slice(0, 8)}`;
  if (!existsSync(root)) {
    shop.ostree('checkout', '-H', commit, root);
    execFileSync('cp', ['-a', `${root}/usr/etc`, `${root}/etc`]);
  }
  execFileSync('systemd-nspawn', [
    ...[
      '--quiet',
      '--pipe',
      '--register=no',
      '--keep-unit',
      '--settings=no',
      '--read-only',
      '--link-journal=no',
    ],
    ...[
      '--timezone=off',
      '--resolv-conf=off',
      '--private-network',
      `--directory=${root}`,
      `--bind=${variable}:/var`,
    ],
    ...['--', 'systemd-tmpfiles', '--create', '--boot', '--prefix=/var'],
  ]);
}
