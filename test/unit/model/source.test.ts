import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSource, parseSource, type Source } from '../../../src/model/source.ts';
import { failureOf } from '../failures.ts';
import { sources } from './arbitraries.ts';

describe('a source', () => {
  test.each<[string, Source]>([
    ['debian:trixie', { kind: 'debian', suite: 'trixie', mirror: undefined }],
    ['debian:bookworm-backports', { kind: 'debian', suite: 'bookworm-backports', mirror: undefined }],
    ['dir:/srv/tree', { kind: 'dir', path: '/srv/tree' }],
    ['tar:/srv/my images/base.tar.zst', { kind: 'tar', path: '/srv/my images/base.tar.zst' }],
    ['ostree:fedora/40/x86_64', ostree('fedora/40/x86_64')],
  ])('is read from %s and written back', (text, source) => {
    expect(parseSource(text)).toEqual(source);
    expect(formatSource(source)).toBe(text);
  });

  test.each([
    '',
    'debian',
    'debian:',
    'debian:Trixie',
    'debian:-x',
    'debian:../x',
    'debian:a b',
    'debian:trixie\n',
    'debian:trixie/updates',
    'dir:',
    'dir:tree',
    'dir:/srv/../etc',
    'dir:/srv/',
    'tar:-',
    'tar:/a\0b',
    'ostree:',
    'ostree:--x',
    'ostree:origin:x',
    'ftp:x',
    ':x',
    'DIR:/x',
  ])('is not %j', (text) => {
    expect(failureOf(() => parseSource(text)).reason).toBe('invalid');
  });

  test('of any kind survives being written and read with its options', () => {
    fc.assert(
      fc.property(sources, (source) => {
        const { mirror, repo, remote } = { mirror: undefined, repo: undefined, remote: undefined, ...source };
        expect(parseSource(formatSource(source), { mirror, repo, remote })).toEqual(source);
      }),
    );
  });
});

describe('the options of a source', () => {
  test('belong to their kind of source', () => {
    expect(failureOf(() => parseSource('debian:trixie', { repo: '/r' })).reason).toBe('usage');
    expect(failureOf(() => parseSource('dir:/x', { remote: 'origin' })).reason).toBe('usage');
    expect(failureOf(() => parseSource('ostree:x', { mirror: 'http://m/' })).reason).toBe('usage');
  });

  test.each([
    'http://archive.example/debian',
    'https://[::1]:8080/debian',
    'file:/srv/mirror',
    'file:///srv/mirror',
  ])('take the mirror %s', (mirror) => {
    expect(parseSource('debian:trixie', { mirror })).toEqual({ kind: 'debian', suite: 'trixie', mirror });
  });

  test.each([
    '',
    'archive.example',
    'http://',
    'ftp://x/',
    'http://a b',
    'http://a\ndeb http://evil/ x main',
    "http://a'b",
    'http://a"b',
    'http://a\\b',
    'http://a\0b',
    'http://a\u001bb',
    `http://${'a'.repeat(1000)}`,
  ])('do not take the mirror %j', (mirror) => {
    expect(failureOf(() => parseSource('debian:trixie', { mirror })).reason).toBe('invalid');
  });

  test.each(['', '-x', '../x', 'a b', 'a/b', 'a\nb', 'a'.repeat(65)])(
    'do not take the remote %j',
    (remote) => {
      const failure = failureOf(() => parseSource('ostree:x', { remote }));
      expect(failure.reason).toBe('invalid');
      expect(failure.hint).toContain('ostree remote list');
    },
  );
});

function ostree(ref: string): Source {
  return parseSource(`ostree:${ref}`);
}
