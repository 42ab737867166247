import { describe, expect, test } from 'vitest';
import { chooseMirrors, parseSources } from '../../../src/tree/hostapt.ts';

const DEB822 = `# comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`;

describe('parseSources', () => {
  test('reads paragraphs', () => {
    expect(parseSources(DEB822)).toEqual([
      { uri: 'http://mirror.example/debian/', suite: 'bookworm', components: ['main', 'contrib'] },
      { uri: 'http://mirror.example/debian/', suite: 'bookworm-updates', components: ['main', 'contrib'] },
      { uri: 'http://mirror.example/debian-security', suite: 'bookworm-security', components: ['main'] },
    ]);
  });

  test('reads lines', () => {
    const text =
      '# deb http://no.example x main\ndeb [arch=amd64 signed-by=/x.gpg] http://a.example/debian trixie main non-free # why\ndeb-src http://a.example/debian trixie main\n';
    expect(parseSources(text)).toEqual([
      { uri: 'http://a.example/debian', suite: 'trixie', components: ['main', 'non-free'] },
    ]);
  });
});

describe('chooseMirrors', () => {
  test('finds archive and security, not third parties', () => {
    const vendor = { uri: 'https://deb.vendor.example/node_20.x', suite: 'nodistro', components: ['main'] };
    expect(chooseMirrors([vendor, ...parseSources(DEB822)])).toEqual({
      archive: 'http://mirror.example/debian/',
      security: 'http://mirror.example/debian-security',
    });
  });

  test('a mirror under another path is known by its suite', () => {
    const sources = [{ uri: 'http://10.0.0.1/deb-proxy', suite: 'trixie', components: ['main'] }];
    expect(chooseMirrors(sources).archive).toBe('http://10.0.0.1/deb-proxy');
  });

  test('a host without Debian sources has none', () => {
    expect(
      chooseMirrors([{ uri: 'http://archive.ubuntu.example/ubuntu', suite: 'noble', components: ['main'] }]),
    ).toEqual({
      archive: undefined,
      security: undefined,
    });
  });
});
