import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import {
  baseRef,
  guestPaths,
  hostPaths,
  machineUnit,
  stateDirectory,
  treeRef,
} from '../../../src/model/paths.ts';
import { failureOf } from '../failures.ts';

const mail = parseGuestName('mail');

describe('the state directory', () => {
  test('is on the mount of /ostree/repo on an ostree-booted host, and below /var/lib elsewhere', () => {
    expect(stateDirectory(undefined, true)).toBe('/sysroot/ostree/guestree');
    expect(stateDirectory(undefined, false)).toBe('/var/lib/guestree');
    expect(stateDirectory('', false)).toBe('/var/lib/guestree');
  });

  test('is where the user says, on any host', () => {
    expect(stateDirectory('/srv/my guests', true)).toBe('/srv/my guests');
    expect(stateDirectory('/srv/guests/', false)).toBe('/srv/guests');
  });

  test.each(['guests', './guests', '/srv/../etc', '/srv/a:b', '/srv/%h', '/srv/"x"', '/srv\n', '/srv//'])(
    'is not %j, which units and nspawn files could not hold',
    (path) => {
      expect(failureOf(() => stateDirectory(path, false)).reason).toBe('invalid');
    },
  );
});

describe('the places of a guest', () => {
  const placesOf = (name: string): string[] => {
    const places: Readonly<Record<string, string>> = {
      ...guestPaths(hostPaths('/state'), parseGuestName(name)),
    };
    return Object.values(places);
  };

  test('are all different, and the state of two guests is apart', () => {
    const own = placesOf('mail');
    const other = placesOf('mail-2');
    expect(new Set([...own, ...other]).size).toBe(own.length + other.length);
  });

  test('outside of the state directory are the five that systemd and the administrator know, and the lock', () => {
    const outside = placesOf('mail').filter((path) => !path.startsWith('/state/'));
    expect(outside.sort()).toEqual([
      '/etc/guestree/mail.guest',
      '/etc/systemd/nspawn/mail.nspawn',
      '/etc/systemd/system/guestree-upgrade@mail.timer.d',
      '/etc/systemd/system/systemd-nspawn@mail.service.d',
      '/run/guestree/lock/mail',
      '/var/lib/machines/mail',
    ]);
  });

  test('name refs and units after the guest', () => {
    expect(treeRef(mail, 7)).toBe('guest/mail/7/tree');
    expect(baseRef(mail, 7)).toBe('guest/mail/7/base');
    expect(machineUnit(mail)).toBe('systemd-nspawn@mail.service');
  });
});
