import { describe, expect, test } from 'vitest';
import { parseCommit } from '../../../src/model/names.ts';
import {
  parseProgress,
  parseRpmDiff,
  parseRpmOstreeStatus,
  RpmOstree,
  rpmOstreeArguments,
  rpmOstreeOutcome,
  type RpmOstreeProgress,
} from '../../../src/system/rpmostree.ts';
import { rpmOstreeFailure } from '../../../src/system/rpmostreemessages.ts';
import { failureOf, failureOfLater } from '../../unit/failures.ts';
import { recorded, replay } from '../recorded.ts';

const COMMIT = parseCommit('1'.repeat(64));
const BASE = parseCommit('2'.repeat(64));
const standIn = (name: string): string => recorded(`rpm-ostree-stand-in-${name}`);

describe('command lines', () => {
  const line = (...args: Parameters<typeof rpmOstreeArguments>): string =>
    rpmOstreeArguments(...args).join(' ');
  const packages = ['--idempotent', '--allow-inactive', '--unchanged-exit-77'].join(' ');

  test('name the OS in the spelling of every version, and what they work on last', () => {
    const os = { os: 'mail' };
    expect(line({ verb: 'install', packages: ['postfix', 'gcc-c++'] }, os)).toBe(
      `install --os=mail ${packages} postfix gcc-c++`,
    );
    expect(
      line({ verb: 'install', packages: ['a'], uninstall: ['b'] }, { ...os, lockFinalization: true }),
    ).toBe(`install --os=mail --lock-finalization ${packages} --uninstall=b a`);
    expect(line({ verb: 'uninstall', packages: ['a'], install: ['b'] }, { ...os, cacheOnly: true })).toBe(
      `uninstall --os=mail ${packages} --install=b a`,
    );
    expect(line({ verb: 'upgrade' }, { ...os, dryRun: true, cacheOnly: true })).toBe(
      'upgrade --os=mail --dry-run --cache-only --unchanged-exit-77 --allow-downgrade',
    );
    expect(line({ verb: 'upgrade', install: ['a'], uninstall: ['b'] }, os)).toBe(
      'upgrade --os=mail --unchanged-exit-77 --allow-downgrade --install=a --uninstall=b',
    );
    expect(line({ verb: 'rebase', refspec: 'fedora:f/43', revision: COMMIT }, os)).toBe(
      `rebase --os=mail fedora:f/43 ${COMMIT}`,
    );
    expect(line({ verb: 'override-remove', packages: ['nano'] }, os)).toBe('override remove --os=mail nano');
    expect(line({ verb: 'override-reset', packages: ['nano'] }, os)).toBe('override reset --os=mail nano');
    expect(line({ verb: 'override-replace', files: ['/x/y.rpm'] }, os)).toBe(
      'override replace --os=mail /x/y.rpm',
    );
    expect(line({ verb: 'override-replace', files: ['/x/y.rpm'], remove: ['nano'] }, os)).toBe(
      'override replace --os=mail --remove=nano /x/y.rpm',
    );
  });

  test.each(['-y', '--reboot', '', 'a b', 'a\nb'])('refuse %j as a name', (word) => {
    expect(
      failureOf(() => rpmOstreeArguments({ verb: 'install', packages: [word] }, { os: 'mail' })).reason,
    ).toBe('invalid');
    expect(failureOf(() => rpmOstreeArguments({ verb: 'upgrade' }, { os: word })).reason).toBe('invalid');
  });
});

describe('status --json', () => {
  test('of a sample composed from the source is read; the second is from a container image', () => {
    const { deployments, transaction, driven } = parseRpmOstreeStatus(
      recorded('rpm-ostree-composed-status.json'),
    );
    expect({ transaction, driven }).toEqual({ transaction: undefined, driven: false });
    expect(deployments[0]).toEqual({
      id: `guest-${COMMIT}.0`,
      osname: 'guest',
      checksum: COMMIT,
      serial: 0,
      booted: false,
      staged: true,
      pinned: false,
      unlocked: 'none',
      version: '42.20260101.0',
      timestamp: 1_767_229_200,
      origin: 'fedora:fedora/42/x86_64/server',
      containerImage: undefined,
      base: BASE,
      finalizationLocked: true,
      requested: ['postfix'],
      requestedLocal: [],
      removed: [],
      replacedLocal: [],
      packages: ['postfix'],
    });
    expect(deployments[1]).toMatchObject({
      booted: true,
      serial: 1,
      base: undefined,
      origin: undefined,
      containerImage: 'ostree-image-signed:docker://quay.io/example/os:42',
      finalizationLocked: false,
    });
  });

  test('of the stand-in is read', async () => {
    const client = new RpmOstree(replay({ 'rpm-ostree status --json': { stdout: standIn('status.json') } }));
    const { deployments } = await client.status();
    expect(deployments.map(({ osname, staged, booted }) => ({ osname, staged, booted }))).toEqual([
      { osname: 'guestree-contract', staged: true, booted: false },
      { osname: 'labhost', staged: false, booted: true },
      { osname: 'guestree-contract', staged: false, booted: false },
    ]);
    expect(deployments[0]).toMatchObject({ requested: ['hello'], base: deployments[2]?.checksum });
  });

  test('tells what is under way', () => {
    expect(parseRpmOstreeStatus(standIn('status-busy.json')).transaction).toBe(
      'rpm-ostree cleanup --os=guestree-contract --base',
    );
  });

  test('needs few keys and ignores others', () => {
    const one = { id: 'x', osname: 'x', checksum: COMMIT, serial: 0, booted: true, 'new-key': [1] };
    const found = parseRpmOstreeStatus(JSON.stringify({ deployments: [one], 'another-key': {} }));
    expect(found.deployments[0]).toMatchObject({ staged: false, requested: [], finalizationLocked: false });
  });

  test.each(['', '{}', '[]', '{"deployments":[{}]}', 'State: idle\n'])('refuses %j', (text) => {
    expect(failureOf(() => parseRpmOstreeStatus(text)).reason).toBe('unsupported');
  });
});

describe('db diff', () => {
  test('is asked for as JSON, and read', async () => {
    const line = `rpm-ostree db diff --format=json ${BASE} ${COMMIT}`;
    const client = new RpmOstree(replay({ [line]: { stdout: standIn('db-diff.json') } }));
    expect(await client.diff(BASE, COMMIT)).toEqual([
      { package: 'hello', from: undefined, to: '1.0-1' },
      { package: 'hello-libs', from: undefined, to: '1.0-1' },
    ]);
  });

  test('has all four kinds of change', () => {
    const pkgdiff = [
      ['new', 0, { NewPackage: ['new', '1-1', 'noarch'] }],
      ['gone', 1, { PreviousPackage: ['gone', '1-1', 'noarch'] }],
      ['up', 2, { PreviousPackage: ['up', '1-1', 'x86_64'], NewPackage: ['up', '1:0-1', 'x86_64'] }],
      ['down', 3, { PreviousPackage: ['down', '2-1', 'x86_64'], NewPackage: ['down', '1-1', 'x86_64'] }],
    ];
    expect(parseRpmDiff(JSON.stringify({ pkgdiff, advisories: [] }))).toEqual([
      { package: 'down', from: '2-1', to: '1-1' },
      { package: 'gone', from: '1-1', to: undefined },
      { package: 'new', from: undefined, to: '1-1' },
      { package: 'up', from: '1-1', to: '1:0-1' },
    ]);
  });
});

describe('progress', () => {
  test.each<[string, RpmOstreeProgress]>([
    ['Checking out tree 32246ad...done', { text: 'Checking out tree 32246ad' }],
    ['Staging deployment... done', { text: 'Staging deployment' }],
    ['Resolving dependencies...', { text: 'Resolving dependencies' }],
    [
      'Importing packages 3/10 [=====>     ] (2s)',
      { text: 'Importing packages 3/10 (2s)', done: 3, total: 10 },
    ],
    ['Importing packages (3/10)', { text: 'Importing packages (3/10)', done: 3, total: 10 }],
    ['Writing objects: 45%', { text: 'Writing objects: 45%', percent: 45 }],
    [
      'Receiving objects: 99% (12/13) 1.2 MB',
      { text: 'Receiving objects: 99% (12/13) 1.2 MB', percent: 99, done: 12, total: 13 },
    ],
    ['\u2819 Relabeling', { text: 'Relabeling' }],
    ['\u001b[2K\rAdded:', { text: 'Added:' }],
    ['  hello-1.0-1.noarch', { text: 'hello-1.0-1.noarch' }],
  ])('%j', (line, step) => {
    expect(parseProgress(line)).toEqual(step);
  });

  test('is told for every line of a change', async () => {
    const lines: string[] = [];
    const line = 'rpm-ostree install --os=mail --idempotent --allow-inactive --unchanged-exit-77 hello';
    const answer = replay({ [line]: { stdout: standIn('install.txt') } });
    const client = new RpmOstree({
      run: async (program, args, options) => {
        const result = await answer.run(program, args, options);
        for (const each of result.stdout.split('\n')) options?.onLine?.(each);
        return result;
      },
    });
    expect(
      await client.change({ verb: 'install', packages: ['hello'] }, { os: 'mail' }, ({ text }) =>
        lines.push(text),
      ),
    ).toBe('changed');
    expect(lines.slice(0, 2)).toEqual([
      expect.stringMatching(/^Checking out tree [0-9a-f]{7}$/),
      'Resolving dependencies',
    ]);
    expect(lines).toContain('hello-libs-1.0-1.noarch');
  });
});

describe('outcome', () => {
  const outcome = (exitCode: number, stdout: string): string =>
    rpmOstreeOutcome({ exitCode, stdout, stderr: '' });

  test('77 is unchanged, and so is what older commands say with 0', () => {
    expect(outcome(77, standIn('unchanged.txt'))).toBe('unchanged');
    expect(outcome(0, 'Checking out tree 32246ad...done\nNo change.\n')).toBe('unchanged');
    expect(outcome(0, 'No upgrade available.\n')).toBe('unchanged');
    expect(outcome(0, standIn('install.txt'))).toBe('changed');
  });

  test('of cleanup is unchanged if no deployment went', async () => {
    const line = 'rpm-ostree cleanup --os=mail --pending --base';
    const client = new RpmOstree(replay({ [line]: { stdout: 'Deployments unchanged.\n' } }));
    expect(await client.cleanup('mail', ['pending', 'base'])).toBe('unchanged');
  });
});

describe('failures', () => {
  test.each<[string, string, RegExp]>([
    ['busy', 'locked', /busy: rpm-ostree cleanup/],
    ['no-os', 'not-found', /no deployment of the OS "none"/],
    ['no-package', 'packages', /do not have: no-such-package/],
    ['script', 'packages', /script.*shaky/],
    ['conflict', 'packages', /do not fit together: .*conflicting/],
    ['not-layered', 'not-found', /"nano" is not layered/],
    ['no-network', 'network', /cannot be downloaded: .*127\.0\.0\.1/],
    ['not-booted', 'unsupported', /booted from OSTree only/],
    ['not-root', 'not-root', /refuses: .*AccessDenied|refuses: not allowed/],
  ])('of the stand-in: %s is %s', (name, reason, message) => {
    const failure = rpmOstreeFailure(standIn(`${name}.stderr.txt`), 1);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toMatch(message);
    expect(failure.hint).toBeTruthy();
  });

  // In the words of the sources; nobody has recorded them here.
  test.each<[string, string]>([
    ['error: Packages not found: a, b\n', 'packages'],
    [
      "error: Running %post for foo: bwrap(/bin/sh): Child process exited with code 1; run `journalctl -t 'x'`\n",
      'packages',
    ],
    [
      "error: Updating rpm-md repo 'fedora': cannot update repo 'fedora': Curl error (6): Couldn't resolve host name\n",
      'network',
    ],
    ['error: While pulling fedora/42: Timeout was reached\n', 'network'],
    [
      'error: Could not depsolve transaction; 1 problem detected:\n Problem: conflicting requests\n',
      'packages',
    ],
    ["error: min-free-space-percent '3%' would be exceeded, at least 1.2 MB requested\n", 'storage'],
    ['error: fallocate: No space left on device\n', 'storage'],
    [
      'Failed to start rpm-ostreed.service: Unit rpm-ostreed.service not found.\nerror: exit status: 5\n',
      'missing-program',
    ],
    ['Failed to start rpm-ostreed.service: Unit rpm-ostreed.service is masked.\n', 'missing-program'],
    [
      'Job for rpm-ostreed.service failed because the control process exited with error code.\nerror: exit status: 1\n',
      'failed',
    ],
    ['error: Loading sysroot: exit status: 1\n', 'failed'],
    ['error: Bus owner changed, aborting. This likely means the daemon crashed\n', 'failed'],
    ['error: rpmostreed OS operation PkgChange not allowed for user\n', 'not-root'],
    ['error: This command requires root privileges\n', 'not-root'],
    ['error: Updates and deployments are driven by Zincati (zincati.service)\n', 'conflict'],
    ['error: Cannot operate; `LockLayering=true` in configuration.\n', 'unsupported'],
    [
      'error: "bash" is already provided by: bash-5.2-1.x86_64. Use --allow-inactive to explicitly require it.\n',
      'conflict',
    ],
    ["error: No previous deployment for OS 'mail'\n", 'not-found'],
    ['error: Reboot initiated, cannot start new transaction\n', 'conflict'],
    ["error: package foo-1-1.x86_64 cannot be verified and repo 'x' is GPG enabled\n", 'packages'],
    [
      "error: Upgrade target revision 'a' with timestamp 'b' is chronologically older than current revision\n",
      'conflict',
    ],
    ["error: Refspec 'x' not found\n", 'not-found'],
  ])('%j is %s', (output, reason) => {
    expect(rpmOstreeFailure(output, 1).reason).toBe(reason);
  });

  test('that nobody knows show rpm-ostree’s own words in one line', () => {
    const failure = rpmOstreeFailure('Checking out tree...done\nerror: something\n\u001b[31m new\n', 3);
    expect(failure).toMatchObject({
      reason: 'failed',
      message: 'rpm-ostree failed with exit code 3: something [31m new',
    });
  });

  test('reach the caller of status', async () => {
    const client = new RpmOstree(
      replay({ 'rpm-ostree status --json': { exitCode: 1, stderr: standIn('not-booted.stderr.txt') } }),
    );
    expect((await failureOfLater(client.status())).reason).toBe('unsupported');
  });
});

test('the version tells the stand-in from the real one', async () => {
  const client = (text: string): RpmOstree =>
    new RpmOstree(replay({ 'rpm-ostree --version': { stdout: text } }));
  expect(await client(standIn('version.txt')).version()).toEqual({
    name: 'rpm-ostree stand-in for tests (not rpm-ostree)',
    version: 'stand-in',
  });
  expect(await client("rpm-ostree:\n Version: '2026.2'\n Features:\n  - rust\n").version()).toEqual({
    name: 'rpm-ostree',
    version: '2026.2',
  });
});
