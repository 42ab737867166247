import { expect } from 'vitest';
import { parseOrigin } from '../../src/formats/origin.ts';
import { parseRpmDiff, parseRpmOstreeStatus, type RpmOstreeStatus } from '../../src/system/rpmostree.ts';
import type { Output } from '../lab/command.ts';

/** A system that was booted from OSTree, and the rpm-ostree on it. */
export interface Host {
  run: (argv: readonly string[]) => Promise<Output>;
  /** Name or path of the program under test. */
  program: string;
  /** A stateroot beside the booted one, with one deployment; its tree is `base`. */
  os: string;
  base: string;
  bootedOs: string;
  /** The booted commit. */
  booted: string;
  /** A package that the base does not have and the repositories have. */
  package: string;
  /** Makes transactions take a few seconds, where that can be arranged. */
  slowDown(slow: boolean): Promise<void>;
}

const STAGED = '/run/ostree/staged-deployment';

const rpmOstree = (host: Host, ...args: string[]): Promise<Output> => host.run([host.program, ...args]);

async function done(host: Host, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await rpmOstree(host, ...args);
  expect(exitCode, `rpm-ostree ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

async function status(host: Host): Promise<RpmOstreeStatus> {
  return parseRpmOstreeStatus(await done(host, 'status', '--json'));
}

async function stagedOne(host: Host): Promise<RpmOstreeStatus['deployments'][number]> {
  const staged = (await status(host)).deployments.filter((each) => each.staged);
  expect(staged).toHaveLength(1);
  return staged[0] ?? expect.fail();
}

async function text(host: Host, ...argv: string[]): Promise<string> {
  return (await host.run(argv)).stdout;
}

const stagedFile = (host: Host): Promise<string> => text(host, 'base64', '--wrap=0', STAGED);
const directory = (one: { osname: string; checksum: string; serial: number }): string =>
  `/ostree/deploy/${one.osname}/deploy/${one.checksum}.${one.serial}`;
const install = (host: Host, ...args: string[]): Promise<string> =>
  done(host, 'install', `--os=${host.os}`, '--idempotent', '--allow-inactive', ...args);

/** What guestree relies on. In this order: each begins where the one before ended. */
export const EXPECTATIONS: readonly { name: string; check: (host: Host) => Promise<void> }[] = [
  {
    name: 'status --json has what guestree reads, the booted deployment among it',
    check: async (host) => {
      const { deployments, transaction } = await status(host);
      expect(transaction).toBeUndefined();
      expect(deployments.filter((each) => each.booted).map((each) => each.checksum)).toEqual([host.booted]);
      expect(deployments.find((each) => each.osname === host.os)).toMatchObject({
        checksum: host.base,
        base: undefined,
        requested: [],
        staged: false,
      });
    },
  },
  {
    name: 'an OS without deployment is not found, exit code 1',
    check: async (host) => {
      const { exitCode, stderr } = await rpmOstree(host, 'install', '--os=no-such-os', host.package);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('OS name "no-such-os" not found');
    },
  },
  {
    name: 'a package that no repository has is named, exit code 1, and nothing is staged',
    check: async (host) => {
      const before = await stagedFile(host);
      const { exitCode, stderr } = await rpmOstree(host, 'install', `--os=${host.os}`, 'no-such-package');
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/Packages not found: .*no-such-package/);
      expect(await stagedFile(host)).toBe(before);
    },
  },
  {
    name: '--dry-run stages nothing',
    check: async (host) => {
      expect(await install(host, '--dry-run', host.package)).toContain(host.package);
      expect((await status(host)).deployments.filter((each) => each.staged)).toEqual([]);
    },
  },
  {
    name: 'install stages for the named OS, and replaces what was staged, whoever it belonged to',
    check: async (host) => {
      await host.run(['ostree', 'admin', 'deploy', '--stage', `--os=${host.bootedOs}`, host.booted]);
      const before = await stagedOne(host);
      expect(before.osname).toBe(host.bootedOs);
      await install(host, host.package);
      expect(await stagedOne(host)).toMatchObject({
        osname: host.os,
        requested: [host.package],
        booted: false,
      });
      expect((await host.run(['test', '-e', directory(before)])).exitCode).not.toBe(0);
    },
  },
  {
    name: 'the staged deployment is the first one listed, with the package and the base',
    check: async (host) => {
      const [first] = (await status(host)).deployments;
      expect(first).toMatchObject({ staged: true, base: host.base, packages: [host.package], pinned: false });
    },
  },
  {
    name: 'the staged file carries the kernel arguments',
    check: async (host) => {
      expect(Buffer.from(await stagedFile(host), 'base64').toString('latin1')).toContain('kargs\0');
    },
  },
  {
    name: 'the origin has baserefspec and the requested packages',
    check: async (host) => {
      const file = await text(host, 'cat', `${directory(await stagedOne(host))}.origin`);
      expect(file).toMatch(/^baserefspec=/m);
      expect(file).toMatch(new RegExp(`^requested=${host.package};$`, 'm'));
      expect(parseOrigin(file, 'origin').requested).toEqual([host.package]);
    },
  },
  {
    name: 'the layered commit says so, its parent is the base, and a ref keeps the base',
    check: async (host) => {
      const { checksum } = await stagedOne(host);
      const show = await text(host, 'ostree', 'show', '--print-metadata-key=rpmostree.clientlayer', checksum);
      expect(show.trim()).toBe('true');
      const packages = await text(
        host,
        'ostree',
        'show',
        '--print-metadata-key=rpmostree.packages',
        checksum,
      );
      expect(packages).toContain(`'${host.package}'`);
      expect((await text(host, 'ostree', 'rev-parse', `${checksum}^`)).trim()).toBe(host.base);
      const refs = (await text(host, 'ostree', 'refs', '--list', 'rpmostree/base'))
        .split('\n')
        .filter(Boolean);
      const commits = await Promise.all(refs.map((ref) => text(host, 'ostree', 'rev-parse', ref)));
      expect(commits.map((each) => each.trim())).toContain(host.base);
    },
  },
  {
    name: 'the layered commit has usr/etc, no etc, an empty var, and the package’s files',
    check: async (host) => {
      const { checksum } = await stagedOne(host);
      const top = await text(host, 'ostree', 'ls', checksum);
      expect(top).not.toMatch(/ \/etc$/m);
      expect(await text(host, 'ostree', 'ls', checksum, '/usr/etc')).toMatch(/ \/usr\/etc\/passwd$/m);
      expect((await text(host, 'ostree', 'ls', checksum, '/var')).trim().split('\n')).toHaveLength(1);
    },
  },
  {
    name: 'db diff --format=json tells what was added',
    check: async (host) => {
      const { checksum } = await stagedOne(host);
      const diff = await done(host, 'db', 'diff', '--format=json', host.base, checksum);
      const added = parseRpmDiff(diff).find((each) => each.package === host.package);
      expect(added).toMatchObject({ from: undefined });
      expect(added?.to).toMatch(/^[0-9][^-]*-[^-]+$/);
    },
  },
  {
    name: 'the same once more is unchanged: exit code 77, and the staged deployment stays',
    check: async (host) => {
      const before = await stagedFile(host);
      const args = [
        `--os=${host.os}`,
        '--idempotent',
        '--allow-inactive',
        '--unchanged-exit-77',
        host.package,
      ];
      expect((await rpmOstree(host, 'install', ...args)).exitCode).toBe(77);
      expect(await stagedFile(host)).toBe(before);
    },
  },
  {
    name: 'upgrade without anything new is unchanged: exit code 77',
    check: async (host) => {
      const args = ['upgrade', `--os=${host.os}`, '--unchanged-exit-77', '--allow-downgrade'];
      expect((await rpmOstree(host, ...args)).exitCode).toBe(77);
    },
  },
  {
    name: 'a second transaction is refused while one is under way',
    check: async (host) => {
      await host.slowDown(true);
      const first = rpmOstree(host, 'upgrade', `--os=${host.os}`, '--allow-downgrade');
      try {
        await expect.poll(async () => (await status(host)).transaction, { timeout: 20_000 }).toBeDefined();
        const { exitCode, stderr } = await rpmOstree(host, 'cleanup', `--os=${host.os}`, '--base');
        expect(exitCode).toBe(1);
        expect(stderr).toContain('Transaction in progress: ');
      } finally {
        await first;
        await host.slowDown(false);
      }
    },
  },
  {
    name: 'uninstall goes back to the base, with an origin that ostree can upgrade, too',
    check: async (host) => {
      await done(host, 'uninstall', `--os=${host.os}`, '--idempotent', host.package);
      const staged = await stagedOne(host);
      expect(staged).toMatchObject({ checksum: host.base, requested: [], base: undefined });
      expect(await text(host, 'cat', `${directory(staged)}.origin`)).toMatch(/^refspec=/m);
    },
  },
  {
    name: '--lock-finalization locks what is staged',
    check: async (host) => {
      await install(host, '--lock-finalization', host.package);
      const file = Buffer.from(await stagedFile(host), 'base64').toString('latin1');
      const marker = await host.run(['test', '-e', `${STAGED}-locked`]);
      // ostree 2023.8 and newer write a key, older ones a file.
      expect(file.includes('locked\0') || marker.exitCode === 0).toBe(true);
    },
  },
  {
    name: 'cleanup --pending of one OS removes its staged deployment and no other',
    check: async (host) => {
      const others = async (): Promise<string[]> =>
        (await status(host)).deployments.filter((each) => each.osname !== host.os).map((each) => each.id);
      const staged = await stagedOne(host);
      const before = await others();
      await done(host, 'cleanup', `--os=${host.os}`, '--pending');
      expect((await host.run(['test', '-e', STAGED])).exitCode).not.toBe(0);
      expect((await host.run(['test', '-e', directory(staged)])).exitCode).not.toBe(0);
      expect(await others()).toEqual(before);
    },
  },
];
