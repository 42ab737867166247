import { describe, expect, test } from 'vitest';
import { aptFailure, lacksArchives, parseSimulation } from '../../../src/engines/aptmessages.ts';

/** Real output of apt 2.6, cut to the lines that matter. */
const OUTPUTS: readonly (readonly [name: string, output: string, reason: string, says: RegExp])[] = [
  [
    'an unknown package',
    'Reading package lists...\nE: Unable to locate package nosuchpkg\n',
    'packages',
    /no package "nosuchpkg"/,
  ],
  [
    'a package that only others mention',
    "Package mail-reader is a virtual package provided by:\n  mutt\nE: Package 'mail-reader' has no installation candidate\n",
    'packages',
    /"mail-reader" cannot be had/,
  ],
  [
    'an unknown version',
    "E: Version '9.9' for 'postfix' was not found\n",
    'packages',
    /no version "9.9" of "postfix"/,
  ],
  [
    'packages that exclude each other',
    'The following packages have unmet dependencies:\n postfix : Conflicts: mail-transport-agent\n exim4-daemon-light : Conflicts: mail-transport-agent\nE: Unable to correct problems, you have held broken packages.\n',
    'packages',
    /do not fit together:\n postfix : Conflicts/,
  ],
  [
    'no name service',
    "Err:1 http://archive.example/debian bookworm InRelease\n  Temporary failure resolving 'archive.example'\nE: Failed to fetch http://archive.example/debian/dists/bookworm/InRelease  Temporary failure resolving 'archive.example'\n",
    'network',
    /Temporary failure resolving 'archive.example'/,
  ],
  [
    'a vanished archive',
    'E: Failed to fetch http://archive.example/debian/pool/main/p/postfix/postfix_1_amd64.deb  404  Not Found [IP: 192.0.2.1 80]\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n',
    'network',
    /404 {2}Not Found/,
  ],
  [
    'a full disk',
    'dpkg: error processing archive /var/cache/apt/archives/x.deb (--unpack):\n cannot copy extracted data: failed to write (No space left on device)\n',
    'storage',
    /no space left/,
  ],
  [
    'a script that fails',
    'Setting up badpkg (1.0) ...\nbadpkg: I cannot do this\ndpkg: error processing package badpkg (--configure):\n installed badpkg package post-installation script subprocess returned error exit status 3\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n',
    'packages',
    /"badpkg" could not be installed: installed badpkg package post-installation script/,
  ],
  [
    'an unsigned source',
    "W: GPG error: http://x bookworm InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9\nE: The repository 'http://x bookworm InRelease' is not signed.\n",
    'packages',
    /cannot be trusted/,
  ],
  [
    'a locked cache',
    'E: Could not get lock /var/cache/apt/archives/lock. It is held by process 0\n',
    'locked',
    /uses the package cache/,
  ],
  ['anything else', 'E: Sudden failure\n', 'packages', /exit code 100: E: Sudden failure/],
];

describe('aptFailure', () => {
  test.each(OUTPUTS)('explains %s', (_, output, reason, says) => {
    const failure = aptFailure(output, 100);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toMatch(says);
    expect(failure.hint).not.toBe('');
  });

  test('shows what a failed script printed', () => {
    const failure = aptFailure(
      'Setting up x (1) ...\nx: no key\ndpkg: error processing package x (--configure):\n why\n',
      1,
    );
    expect(failure.hint).toContain('x: no key');
  });
});

test('a missing archive is recognised', () => {
  expect(
    lacksArchives('E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n'),
  ).toBe(true);
  expect(lacksArchives('E: Unable to locate package x\n')).toBe(false);
});

test('a simulated upgrade is read', () => {
  const output = [
    'NOTE: This is only a simulation!',
    'Inst libssl3 [3.0.11-1~deb12u1] (3.0.15-1~deb12u1 Debian:12.9/stable [amd64]) []',
    'Inst new-dependency (1.0-1 Debian:12.9/stable [amd64])',
    'Remv old-package [0.9-2]',
    'Conf libssl3 (3.0.15-1~deb12u1 Debian:12.9/stable [amd64])',
  ].join('\n');
  expect(parseSimulation(output)).toEqual([
    { package: 'libssl3', from: '3.0.11-1~deb12u1', to: '3.0.15-1~deb12u1' },
    { package: 'new-dependency', from: undefined, to: '1.0-1' },
    { package: 'old-package', from: '0.9-2', to: undefined },
  ]);
});
