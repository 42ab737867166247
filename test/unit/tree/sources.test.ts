import { describe, expect, test } from 'vitest';
import { Failure } from '../../../src/model/failure.ts';
import { parseRefName } from '../../../src/model/names.ts';
import { parseSource } from '../../../src/model/source.ts';
import { localArchives, sourceRef } from '../../../src/tree/base.ts';
import { archiveEntries, renderSources } from '../../../src/tree/debian.ts';
import { NO_HOST_APT } from '../../../src/tree/hostapt.ts';
import { renderHostKeyUnit } from '../../../src/tree/hostkeys.ts';
import { parseElfMachine, requireArchitecture } from '../../../src/tree/inspect.ts';
import { machineName, parseMountPoints } from '../../../src/tree/scratch.ts';

describe('sourceRef', () => {
  const refs = [
    parseSource('debian:trixie'),
    parseSource('debian:trixie', { mirror: 'http://mirror.example/debian' }),
    parseSource('debian:bookworm'),
    parseSource('dir:/srv/a/root'),
    parseSource('dir:/srv/b/root'),
    parseSource('dir:/srv/with space/ünï'),
    parseSource('dir:/'),
    parseSource('tar:/srv/a/root'),
    parseSource('ostree:debian/trixie'),
    parseSource('ostree:debian/trixie', { repo: '/srv/repo' }),
    parseSource('ostree:debian/trixie', { repo: '/srv/repo', remote: 'origin' }),
  ].map((source) => sourceRef(source, 'x64'));

  test('differs for every source, and is a ref', () => {
    expect(new Set(refs).size).toBe(refs.length);
    for (const ref of refs) expect(parseRefName(ref)).toBe(ref);
  });

  test('no ref is a directory of another', () => {
    for (const ref of refs) expect(refs.filter((other) => other.startsWith(`${ref}/`))).toEqual([]);
  });
});

describe('Debian archives', () => {
  const host = { ...NO_HOST_APT, archive: 'http://m.example/debian', security: 'http://m.example/security' };

  test('a release has updates and security, from the host’s mirrors', () => {
    expect(archiveEntries({ suite: 'trixie', mirror: undefined, host })).toEqual([
      { uri: 'http://m.example/debian', suite: 'trixie' },
      { uri: 'http://m.example/debian', suite: 'trixie-updates' },
      { uri: 'http://m.example/security', suite: 'trixie-security' },
    ]);
  });

  test('sid has neither', () => {
    expect(archiveEntries({ suite: 'sid', mirror: undefined, host })).toEqual([
      { uri: 'http://m.example/debian', suite: 'sid' },
    ]);
  });

  test('other hosts name none, and mmdebstrap uses its own default', () => {
    expect(archiveEntries({ suite: 'trixie', mirror: undefined, host: NO_HOST_APT })).toEqual([]);
  });

  test('a named mirror is the only one', () => {
    expect(archiveEntries({ suite: 'trixie', mirror: 'http://x.example/', host })).toEqual([
      { uri: 'http://x.example/', suite: 'trixie' },
    ]);
  });

  test('are written as paragraphs', () => {
    const entries = archiveEntries({ suite: 'trixie', mirror: undefined, host });
    expect(renderSources(entries, 'usr/share/keyrings/k.gpg')).toBe(
      [
        'Types: deb',
        'URIs: http://m.example/debian',
        'Suites: trixie trixie-updates',
        'Components: main',
        'Signed-By: /usr/share/keyrings/k.gpg',
        '',
        'Types: deb',
        'URIs: http://m.example/security',
        'Suites: trixie-security',
        'Components: main',
        'Signed-By: /usr/share/keyrings/k.gpg',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['file:/srv/mirror', ['/srv/mirror']],
    ['copy:/srv/mirror/', ['/srv/mirror']],
    ['file:///srv/mirror', ['/srv/mirror']],
    ['http://m.example/debian', []],
    [undefined, []],
  ])('%s is in the directories %j', (mirror, expected) => {
    expect(localArchives(mirror)).toEqual(expected);
  });
});

describe('the architecture of a tree', () => {
  const header = (machine: number, big = false): Buffer => {
    const bytes = Buffer.alloc(20);
    bytes.write('\u007fELF', 0, 'latin1');
    bytes[5] = big ? 2 : 1;
    if (big) bytes.writeUInt16BE(machine, 18);
    else bytes.writeUInt16LE(machine, 18);
    return bytes;
  };

  test('is read from the ELF header', () => {
    expect(parseElfMachine(header(62))).toBe(62);
    expect(parseElfMachine(header(22, true))).toBe(22);
    expect(parseElfMachine(Buffer.from('#!/bin/sh\nexec true\n\n'))).toBeUndefined();
    expect(parseElfMachine(Buffer.alloc(0))).toBeUndefined();
  });

  test('has to be one that the host runs', () => {
    requireArchitecture(header(62), 'tar:/x', 'x64');
    requireArchitecture(header(3), 'tar:/x', 'x64');
    expect(() => requireArchitecture(header(183), 'tar:/x', 'x64')).toThrow(
      'tar:/x is for aarch64, this host is x86_64',
    );
    expect(() => requireArchitecture(Buffer.from('x'), 'tar:/x', 'x64')).toThrow(Failure);
  });
});

test('mount points are read with their escapes', () => {
  const text =
    '36 35 98:0 /mnt1 /mnt/parent\\040dir rw,noatime master:1 - ext3 /dev/root rw\n37 35 0:1 / /proc rw - proc proc rw\n';
  expect(parseMountPoints(text)).toEqual(['/mnt/parent dir', '/proc']);
});

test('a scratch directory has one machine name', () => {
  expect(machineName('/var/lib/guestree/scratch/mail')).toMatch(/^guestree-build-[0-9a-f]{12}$/);
  expect(machineName('/a')).toBe(machineName('/a'));
  expect(machineName('/a')).not.toBe(machineName('/b'));
});

test('the key unit runs what the tree has, before every service', () => {
  const unit = renderHostKeyUnit([
    { program: 'usr/bin/ssh-keygen', args: '-A', makes: '/etc/ssh/ssh_host_ed25519_key' },
  ]);
  expect(unit).toContain('ConditionPathExists=|!/etc/ssh/ssh_host_ed25519_key\n');
  expect(unit).toContain('ExecStart=-/usr/bin/ssh-keygen -A\n');
  expect(unit).toContain('Before=sysinit.target shutdown.target\n');
});
