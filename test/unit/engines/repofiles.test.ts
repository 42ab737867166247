import { expect, test } from 'vitest';
import { packageSpec } from '../../../src/engines/dnf.ts';
import { parseRepoFile, redirectFiles, uncheckedRepos } from '../../../src/engines/repofiles.ts';
import { parsePackageName } from '../../../src/model/names.ts';

const MAIN = '[main]\ngpgcheck=1\n';

test('sections, comments, continued values, and the last of two equal keys', () => {
  const text =
    '# top\n[a]\nname = A thing\nbaseurl=http://one.example/\n  http://two.example/\n;x\n[b]\nEnabled=0\nenabled=1\n';
  const sections = parseRepoFile(text).map(({ id, values }) => [id, Object.fromEntries(values)]);
  expect(sections).toEqual([
    ['a', { name: 'A thing', baseurl: 'http://one.example/\nhttp://two.example/' }],
    ['b', { enabled: '1' }],
  ]);
});

test.each([
  ['on by the main section', MAIN, '[a]\nbaseurl=x\n', []],
  ['off by the repository', MAIN, '[a]\ngpgcheck=0\n', ['a']],
  ['off, in other words', MAIN, '[a]\ngpgcheck = No\n[b]\ngpgcheck=False\n', ['a', 'b']],
  ['on, in other words', '[main]\n', '[a]\ngpgcheck=yes\n[b]\npkg_gpgcheck=True\n', []],
  ['said nowhere, which is off', '[main]\n', '[a]\nbaseurl=x\n', ['a']],
  ['off, but nobody uses it', MAIN, '[a]\nenabled=0\ngpgcheck=0\n', []],
])('signatures: %s', (_, config, repo, unchecked) => {
  expect(uncheckedRepos(config, repo)).toEqual(unchecked);
});

test('keys and certificates are looked for where they were copied to, and nothing else is changed', () => {
  const text = [
    '[a]',
    'baseurl=http://example.org/etc/pki/rpm-gpg/',
    'gpgkey=file:///etc/pki/rpm-gpg/KEY-1 file:///etc/pki/rpm-gpg/KEY-2',
    '  file:///etc/pki/rpm-gpg/KEY-3',
    'sslclientkey=/etc/pki/entitlement/1-key.pem',
    'sslcacert=/etc/pki/tls/ca.pem',
  ].join('\n');
  expect(redirectFiles(text, ['pki/rpm-gpg', 'pki/entitlement'], (below) => `/copy/${below}`)).toBe(
    [
      '[a]',
      'baseurl=http://example.org/etc/pki/rpm-gpg/',
      'gpgkey=file:///copy/pki/rpm-gpg/KEY-1 file:///copy/pki/rpm-gpg/KEY-2',
      '  file:///copy/pki/rpm-gpg/KEY-3',
      'sslclientkey=/copy/pki/entitlement/1-key.pem',
      'sslcacert=/etc/pki/tls/ca.pem',
    ].join('\n'),
  );
});

test.each([
  ['hello', 'hello'],
  ['hello=1.0-1', 'hello-1.0-1'],
  ['hello:i686', 'hello.i686'],
  ['hello:i686=1:1.0-1.fc41', 'hello-1:1.0-1.fc41.i686'],
])('%s is %s to dnf', (asked, spec) => {
  expect(packageSpec(parsePackageName(asked))).toBe(spec);
});
