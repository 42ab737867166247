import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { verify } from '../verify.ts';

const FIXTURES = new URL('../../fixtures/units/', import.meta.url);
const golden = (name: string): string => readFileSync(new URL(name, FIXTURES), 'utf8');

/** A stand-in for systemd's own template, which is verified with our drop-ins. */
const TEMPLATE = '[Unit]\nDescription=Container %i\n[Service]\nExecStart=/bin/true --machine=%i\n';

describe.each(['', 'odd-path/'])('the golden units in %j', (directory) => {
  const units = {
    'guestree-guard.service': golden(`${directory}guestree-guard.service`).replaceAll(
      /^ExecStop=("[^"]*"|\S+)/gm,
      'ExecStop=/bin/true $1',
    ),
    'guestree-state.service': golden(`${directory}guestree-state.service`),
    'guestree-recover.service': golden(`${directory}guestree-recover.service`).replaceAll(
      /^ExecStart=("[^"]*"|\S+)/gm,
      'ExecStart=/bin/true $1',
    ),
    'guestree-upgrade@mail.service': golden(`${directory}guestree-upgrade@.service`).replaceAll(
      /^ExecStart=("[^"]*"|\S+)/gm,
      'ExecStart=/bin/true $1',
    ),
    'guestree-upgrade@mail.timer': golden('guestree-upgrade@.timer'),
    'guestree-upgrade@mail.timer.d/50-guestree.conf': golden('timer-drop-in.conf'),
    'systemd-nspawn@.service': TEMPLATE,
    'systemd-nspawn@mail.service.d/50-guestree.conf': golden(`${directory}static-drop-in.conf`),
    'systemd-nspawn@mail.service.d/60-guestree-generation.conf': golden('generation.conf'),
  };

  test.each([
    'guestree-guard.service',
    'guestree-state.service',
    'guestree-recover.service',
    'guestree-upgrade@mail.service',
    'guestree-upgrade@mail.timer',
    'systemd-nspawn@mail.service',
  ])('make systemd complain about nothing: %s', async (name) => {
    expect(await verify(units, name)).toEqual([]);
  });
});

describe('the golden units of held ports', () => {
  const names = readdirSync(new URL('ports/', FIXTURES)).filter((name) => /\.(service|socket)$/.test(name));
  const units = {
    ...Object.fromEntries(names.map((name) => [name, golden(`ports/${name}`)])),
    'systemd-nspawn@.service': TEMPLATE,
    'guestree-recover.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  };

  test.each(names.map((name) => name.replace('@.', '@mail.')))(
    'make systemd complain about nothing: %s',
    async (name) => {
      // What is verified under the name of an instance is a template's text.
      const template = units[name.replace('@mail.', '@.') as keyof typeof units] as string | undefined;
      expect(await verify(template === undefined ? units : { ...units, [name]: template }, name)).toEqual([]);
    },
  );
});

test('systemd would have complained: a wrong key and a wrong value are seen', async () => {
  const text =
    '[Service]\nType=oneshot\nExecStart=/bin/true\nExecStrat=/bin/false\nRemainAfterExit=perhaps\n';
  expect(await verify({ 'x.service': text }, 'x.service')).toHaveLength(2);
  const units = {
    'systemd-nspawn@.service': TEMPLATE,
    'systemd-nspawn@mail.service.d/50-guestree.conf': '[Unit]\nRequirez=x.service\n',
  };
  expect(await verify(units, 'systemd-nspawn@mail.service')).toHaveLength(1);
});

test('every golden file ends with a newline and names no machine', () => {
  for (const name of readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(conf|service|socket|timer|nspawn)$/.test(name)) continue;
    expect(golden(name), name).toMatch(/[^\n]\n$/);
  }
});
