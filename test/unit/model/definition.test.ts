import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHECK_KEYS } from '../../../src/model/check.ts';
import { KEYS, parseDefinition, renderDefinition } from '../../../src/model/definition.ts';
import { parseGuestName } from '../../../src/model/names.ts';
import { DEFAULT_SWITCHING } from '../../../src/model/switching.ts';
import { failureOf, unlessRefused } from '../failures.ts';
import { definitions } from './arbitraries.ts';

const mail = parseGuestName('mail');

describe('a definition', () => {
  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(definitions, (definition) => {
        expect(parseDefinition(definition.name, renderDefinition(definition))).toEqual(definition);
      }),
    );
  });

  test('needs no more than a source: the network is private then', () => {
    expect(parseDefinition(mail, '[Guest]\nFrom=debian:trixie\n')).toEqual({
      name: 'mail',
      source: { kind: 'debian', suite: 'trixie', mirror: undefined },
      engine: 'auto',
      network: { kind: 'veth' },
      ports: [],
      switching: DEFAULT_SWITCHING,
      checks: [],
      listens: [],
      drainSeconds: 0.5,
      upgrade: { windows: [], onCalendar: ['hourly'], randomizedDelaySec: '15min' },
    });
  });

  test('says when the guest is upgraded: windows, and the timer', () => {
    const text = [
      '[Guest]',
      'From=debian:trixie',
      '[Upgrade]',
      'Window=Sun,Wed 02:00-05:00',
      'Window=Mon..Fri 22:00-02:00',
      'OnCalendar=Sat 03:00',
      'RandomizedDelaySec=1h',
    ].join('\n');
    expect(parseDefinition(mail, text).upgrade).toEqual({
      windows: [
        { days: [2, 6], start: 120, end: 300 },
        { days: [0, 1, 2, 3, 4], start: 1320, end: 120 },
      ],
      onCalendar: ['Sat 03:00'],
      randomizedDelaySec: '1h',
    });
  });

  test('names an engine, or is refused', () => {
    expect(parseDefinition(mail, '[Guest]\nFrom=debian:trixie\nEngine=rpm-ostree:host\n').engine).toBe(
      'rpm-ostree:host',
    );
    expect(() => parseDefinition(mail, '[Guest]\nFrom=debian:trixie\nEngine=pacman\n')).toThrow(
      /is not an engine/,
    );
  });

  test('may be written with comments, continuations, several sections and several ports in a line', () => {
    const text = [
      '# mail for example.org',
      '[Network]',
      'Port=tcp:25:25 tcp:587:587 \\',
      '; the web interface',
      '  tcp:8080:80',
      '[Guest]',
      '  From = debian:trixie',
      '[Network]',
      'Mode=zone:front',
    ].join('\n');
    const { source, network, ports } = parseDefinition(mail, text);
    expect(source).toMatchObject({ suite: 'trixie' });
    expect(network).toEqual({ kind: 'zone', name: 'front' });
    expect(ports.map((port) => port.host)).toEqual([25, 587, 8080]);
  });

  test('takes back ports with an empty assignment, as unit files do', () => {
    const text = '[Guest]\nFrom=debian:trixie\n[Network]\nPort=tcp:25:25\nPort=\nPort=tcp:26:26\n';
    expect(parseDefinition(mail, text).ports).toEqual([{ protocol: 'tcp', host: 26, guest: 26 }]);
  });

  test.each([
    ['no text', '', 'From= is missing'],
    ['no From=', '[Guest]\n', 'From= is missing'],
    ['an empty From=', '[Guest]\nFrom=debian:trixie\nFrom=\n', 'From= is missing'],
    ['From= in another section', '[Network]\nFrom=debian:trixie\n', 'unknown key "From" in [Network]'],
    ['an unknown section', '[Guest]\nFrom=debian:trixie\n[Exec]\n', 'unknown section [Exec]'],
    ['a section in the wrong case', '[guest]\nFrom=debian:trixie\n', 'unknown section [guest]'],
    ['an unknown key', '[Guest]\nFrom=debian:trixie\nBoot=no\n', 'unknown key "Boot"'],
    ['a key in the wrong case', '[Guest]\nfrom=debian:trixie\n', 'unknown key "from"'],
    ['an assignment before a section', 'From=debian:trixie\n', 'line 1'],
    ['a line that is neither', '[Guest]\nFrom\n', 'line 2'],
    ['a path with ..', '[Guest]\nFrom=dir:/../etc\n', 'cannot be used as a path'],
    ['a mirror for a directory', '[Guest]\nFrom=dir:/x\nMirror=http://m/\n', '--mirror'],
    ['an impossible port', '[Guest]\nFrom=dir:/x\n[Network]\nPort=tcp:0:1\n', 'is not a port'],
    ['a port twice', '[Guest]\nFrom=dir:/x\n[Network]\nPort=tcp:1 tcp:1:2\n', 'published twice'],
    ['ports without a network', '[Guest]\nFrom=dir:/x\n[Network]\nMode=none\nPort=tcp:1\n', '"none"'],
    ['an unknown strategy', '[Guest]\nFrom=dir:/x\n[Switch]\nStrategy=reboot\n', 'is not a strategy'],
    ['a check without a probe', '[Guest]\nFrom=dir:/x\n[Check smtp]\nWanted=yes\n', 'needs one of Exec='],
    ['a check with two probes', '[Guest]\nFrom=dir:/x\n[Check smtp]\nTcp=25\nExec=true\n', 'needs one of'],
    ['a check without a name', '[Guest]\nFrom=dir:/x\n[Check ]\nTcp=25\n', 'name of a check'],
    ['a check of no port', '[Guest]\nFrom=dir:/x\n[Check a]\nTcp=smtp\n', 'is not a port'],
    ['a check of no URL', '[Guest]\nFrom=dir:/x\n[Check a]\nHttp=/health\n', 'is not an http'],
    ['an unknown key of a check', '[Guest]\nFrom=dir:/x\n[Check a]\nUdp=1\n', 'unknown key "Udp"'],
    ['an endless time', '[Guest]\nFrom=dir:/x\n[Switch]\nSettleSec=infinity\n', 'is not a time span'],
    ['neither yes nor no', '[Guest]\nFrom=dir:/x\n[Switch]\nPreflight=perhaps\n', 'is not yes or no'],
    ['a port to listen on for UDP', '[Guest]\nFrom=dir:/x\n[Network]\nListen=udp:53\n', 'only TCP'],
    ['a port twice', '[Guest]\nFrom=dir:/x\n[Network]\nPort=tcp:1\nListen=tcp:1\n', 'both published'],
    ['held ports on the host', '[Guest]\nFrom=dir:/x\n[Network]\nMode=host\nListen=tcp:1\n', '"host"'],
    ['no time', '[Guest]\nFrom=dir:/x\n[Switch]\nDrainSec=soon\n', 'not a time span'],
    ['a wrong window', '[Guest]\nFrom=dir:/x\n[Upgrade]\nWindow=night\n', 'is not a maintenance window'],
    ['a wrong calendar', '[Guest]\nFrom=dir:/x\n[Upgrade]\nOnCalendar=%h\n', 'is not a calendar event'],
    ['a wrong delay', '[Guest]\nFrom=dir:/x\n[Upgrade]\nRandomizedDelaySec=soon\n', 'is not a time span'],
    ['an unknown network', '[Guest]\nFrom=dir:/x\n[Network]\nMode=wifi\n', 'is not a network'],
  ])('is refused with %s', (_, text, message) => {
    expect(failureOf(() => parseDefinition(mail, text)).message).toContain(message);
  });

  test('names the file and what would be right when a key is misspelt', () => {
    const failure = failureOf(() => parseDefinition(mail, '[Network]\nPorts=tcp:1\n'));
    expect(failure.message).toContain('mail.guest');
    expect(failure.hint).toContain('Mode, Port');
  });

  test('of any text is read or refused, and what is read can be written and read again', () => {
    const lines = fc.constantFrom(
      '[Guest]',
      '[Network]',
      'From=debian:trixie',
      'From=dir:/a b',
      'From=ostree:x \\',
      'Repo=/r',
      'Mode=zone:a',
      'Mode=',
      'Port=tcp:1 udp:2\\',
      'Port=',
      'Listen=tcp:3 tcp:127.0.0.1:4:5',
      'Listen=tcp:[::1]:4:5',
      '[Switch]',
      'DrainSec=2min',
      '[Upgrade]',
      'Window=Fri..Mon 23:00-1:30',
      'Window=',
      'OnCalendar=daily',
      '# c',
      '',
      '  \\',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(lines, fc.string()), { maxLength: 12 }), (text) => {
        const definition = unlessRefused(() => parseDefinition(mail, text.join('\n')));
        if (definition === undefined) return;
        expect(parseDefinition(mail, renderDefinition(definition))).toEqual(definition);
      }),
    );
  });
});

test('every section and key is told in docs/definition.md', () => {
  const text = readFileSync(new URL('../../../docs/definition.md', import.meta.url), 'utf8');
  for (const [section, keys] of Object.entries({ ...KEYS, 'Check NAME': CHECK_KEYS })) {
    const [, part = ''] = text.split(`## [${section}]`);
    const [own = ''] = part.split('\n## ');
    for (const key of keys) expect(own, `[${section}] ${key}`).toContain(`\`${key}=\``);
  }
});
