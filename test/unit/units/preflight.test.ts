import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { preflightArgv, preflightMachine } from '../../../src/units/preflight.ts';
import { failureOf } from '../failures.ts';

const facts = {
  guest: parseGuestName('mail'),
  generation: 3,
  root: '/state/guests/mail/sysroot/ostree/deploy/mail/deploy/abc.0',
  variable: '/run/guestree/state/guests/mail/sysroot/ostree/deploy/mail/var',
  scratch: '/run/guestree/state/scratch/mail/preflight',
  timeout: 120,
};

describe('the preflight machine', () => {
  const argv = preflightArgv(facts);

  test('has no network but loopback, its own users, a read-only root, and nothing of the guest’s settings', () => {
    for (const word of ['--private-network', '--private-users=pick', '--read-only', '--settings=no'])
      expect(argv).toContain(word);
    expect(argv.filter((word) => /network-|^--port|^--bind=.*var:/.test(word))).toEqual([]);
  });

  test('has the guest’s /var below an overlay only', () => {
    expect(argv).toContain(`--bind-ro=${facts.variable}:/run/guestree/var:idmap`);
    expect(argv.at(-1)).toContain('lowerdir=/run/guestree/var,upperdir=/run/guestree/scratch/var');
  });

  test('cannot be given a path that the words of a mount would take apart', () => {
    for (const bad of ['/a:b', '/a"b', '/a\nb'])
      expect(failureOf(() => preflightArgv({ ...facts, scratch: bad })).reason).toBe('invalid');
  });

  test('has a name that is valid for the longest guest', () => {
    expect(preflightMachine(parseGuestName(`a${'b'.repeat(53)}`)).length).toBeLessThanOrEqual(64);
  });
});
