import { describe, expect, test } from 'vitest';
import {
  dnfFailure,
  dnfWarnings,
  lacksPackages,
  parseTransaction,
} from '../../../src/engines/dnfmessages.ts';
import { recorded } from '../recorded.ts';

const dnf = (name: string): string => recorded(`dnf-4.23-${name}.txt`);

describe('what dnf 4.23 prints becomes a failure with a reason', () => {
  test.each([
    ['unknown', 'packages', /there is no package "nosuch"/],
    ['conflict', 'packages', /do not fit together:\n Problem: .*\n {2}- package conflicting-1\.0-1\.noarch/],
    ['unsigned', 'packages', /cannot be trusted: Package unsigned-1\.0-1\.noarch\.rpm is not signed/],
    ['no-key', 'packages', /cannot be trusted: Public key for hello-1\.0-1\.noarch\.rpm is not installed/],
    ['missing-key', 'packages', /does not exist: \/etc\/pki\/rpm-gpg\/RPM-GPG-KEY-labos/],
    [
      'scriptlet',
      'packages',
      /"broken-1\.0-1\.noarch" could not be installed: its %pre script failed, exit status 3/,
    ],
    ['no-network', 'network', /the repository "labos" cannot be read: Curl error \(7\): Could not connect/],
    ['skipped', 'network', /the repository "labos" cannot be read/],
  ])('%s', (name, reason, says) => {
    const failure = dnfFailure(dnf(name), 1);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toMatch(says);
    expect(failure.hint).toBeTruthy();
  });

  test('the hint for a script has what it printed, and nothing else', () => {
    expect(dnfFailure(dnf('scriptlet'), 1).hint).toMatch(/It printed: broken: there is no flux capacitor$/);
  });
});

test.each([
  [
    'unpacking',
    'error: unpacking of archive failed on file /usr/x;1: cpio: write failed - No space left on device\n',
  ],
  [
    'before the transaction',
    'Error: Transaction test error:\n  installing package x needs 5MB more space on the / filesystem\nDisk Requirements:\n   At least 5MB more space needed on the / filesystem.\n',
  ],
  ['in a database', 'Error: SQLite error on "/var/lib/dnf/history.sqlite": database or disk is full\n'],
])('a full disk, %s, is a matter of storage', (_, output) => {
  expect(dnfFailure(output, 1).reason).toBe('storage');
});

test('files of two packages that differ', () => {
  const output =
    'Error: Transaction test error:\n  file /usr/bin/x from install of a-1-1.noarch conflicts with file from package b-1-1.noarch\n';
  expect(dnfFailure(output, 1).message).toMatch(/do not fit together:\n {2}file \/usr\/bin\/x/);
});

test('something else is shown as it is', () => {
  expect(dnfFailure('Error: a thing that nobody knows\n', 1).message).toMatch(
    /exit code 1: Error: a thing that nobody knows/,
  );
});

test('what is missing from the cache is told from other failures', () => {
  expect(lacksPackages(dnf('no-metadata'))).toBe(true);
  expect(lacksPackages(dnf('no-archives'))).toBe(true);
  for (const name of ['unknown', 'conflict', 'unsigned', 'scriptlet', 'no-network'])
    expect(lacksPackages(dnf(name)), name).toBe(false);
});

test('what went wrong in an operation that went well is a warning', () => {
  expect(dnfWarnings(dnf('post-scriptlet'))).toEqual([
    'The %post script of shaky-1.0-1.noarch failed, exit status 4; rpm goes on after that, and the package may not be set up.',
  ]);
  expect(dnfWarnings(dnf('skipped'))).toEqual(['Repositories that cannot be reached were left out: labos.']);
  expect(dnfWarnings(dnf('upgrade-table'))).toEqual([]);
});

describe('the table of a transaction', () => {
  const installed = new Map([
    ['hello', '1.0-1'],
    ['hello-libs', '1.0-1'],
  ]);

  test('an upgrade', () => {
    expect(parseTransaction(dnf('upgrade-table'), installed)).toEqual([
      { package: 'hello', from: '1.0-1', to: '2.0-1' },
      { package: 'hello-libs', from: '1.0-1', to: '2.0-1' },
    ]);
  });

  test('a removal', () => {
    expect(parseTransaction(dnf('remove-table'), installed)).toEqual([
      { package: 'hello-libs', from: '1.0-1', to: undefined },
      { package: 'hello', from: '1.0-1', to: undefined },
    ]);
  });

  test('a row that is too long for one line, and a package that replaces another', () => {
    const wide = dnf('upgrade-table').replace(
      ' hello-libs           noarch',
      ' a-name-that-is-much-too-long-for-its-column\n                      noarch',
    );
    const both = wide.replace('\n\nTransaction', '\n     replacing  old-thing.noarch 0.9-1\n\nTransaction');
    expect(parseTransaction(both, new Map([...installed, ['old-thing', '0.9-1']]))).toEqual([
      { package: 'hello', from: '1.0-1', to: '2.0-1' },
      { package: 'a-name-that-is-much-too-long-for-its-column', from: undefined, to: '2.0-1' },
      { package: 'old-thing', from: '0.9-1', to: undefined },
    ]);
  });

  test('nothing to do', () => {
    expect(parseTransaction('Dependencies resolved.\nNothing to do.\nComplete!\n', installed)).toEqual([]);
  });
});
