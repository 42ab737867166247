import { describe, expect, it } from 'vitest';
import { parseDeb822, parseOneLine, proxyInBox, sourceLines } from './mirror.ts';

describe('the mirror of this machine', () => {
  it('is read from one-line sources', () => {
    const text = [
      '# deb http://commented.example/debian bookworm main',
      'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # local',
      'deb-src http://mirror.example/debian bookworm main',
    ].join('\n');
    expect(parseOneLine(text)).toEqual([
      {
        uri: 'http://mirror.example/debian',
        suite: 'bookworm',
        components: ['main', 'contrib'],
        signedBy: '/k.gpg',
      },
    ]);
  });

  it('is read from deb822 sources, but not from disabled ones', () => {
    const text =
      'Types: deb\n# old\nURIs: http://m.example/debian\nSuites: trixie trixie-updates\nComponents: main\n\n' +
      'Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\n';
    expect(parseDeb822(text).map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
      'http://m.example/debian trixie',
      'http://m.example/debian trixie-updates',
    ]);
  });

  it('has no security archive for a rolling suite', () => {
    const mirror = { archive: 'http://m/debian', security: 'http://m/debian-security', proxy: undefined };
    expect(sourceLines(mirror, 'sid')).toEqual(['deb http://m/debian sid main']);
    expect(sourceLines(mirror, 'trixie')).toContain('deb http://m/debian-security trixie-security main');
  });

  it('is reached from inside through the gateway if its proxy listens on loopback', () => {
    expect(proxyInBox('http://127.0.0.1:3142')).toBe('http://10.0.2.2:3142/');
    expect(proxyInBox('http://proxy.example:3128/')).toBe('http://proxy.example:3128/');
  });
});
