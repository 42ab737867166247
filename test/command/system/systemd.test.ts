import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { parseUnitStates, Systemd } from '../../../src/system/systemd.ts';
import { temporaryDirectory } from '../../unit/directory.ts';
import { failureOfLater } from '../../unit/failures.ts';
import { recorded, replay } from '../recorded.ts';

const mail = parseGuestName('mail');
const UNIT = 'systemd-nspawn@mail.service';

/** Running and enabled, unknown, failed, masked, enabled and never started. */
const STATES = {
  mail: { active: 'active', enabled: true },
  web: { active: 'inactive', enabled: false },
  broken: { active: 'failed', enabled: false },
  masked: { active: 'inactive', enabled: false },
  idle: { active: 'inactive', enabled: true },
};
const names = Object.keys(STATES).map(parseGuestName);

const SHOW = 'systemctl show --property=Id,ActiveState,UnitFileState';
const SHOW_ONE = `${SHOW} ${UNIT}`;
const SHOW_ALL = `${SHOW} 'systemd-nspawn@*.service'`;

/** /etc/systemd/system of the machine that was recorded. */
async function unitDirectory(): Promise<string> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'machines.target.wants'));
  await mkdir(join(directory, 'systemd-nspawn@broken.service.d'));
  for (const name of ['mail', 'idle']) {
    const link = join(directory, `machines.target.wants/systemd-nspawn@${name}.service`);
    await symlink('/lib/systemd/system/systemd-nspawn@.service', link);
  }
  await symlink('/dev/null', join(directory, 'systemd-nspawn@masked.service'));
  return directory;
}

describe.each(['252', '257'])('systemctl show of systemd %s', (version) => {
  test('is read, one block a unit', () => {
    const states = parseUnitStates(recorded(`systemctl-${version}-show.txt`));
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(
        Object.entries(STATES).map(([name, state]) => [`systemd-nspawn@${name}.service`, state]),
      ),
    );
  });

  test('is asked once for all guests, and says the same as if it were asked for each', async () => {
    const stdout = recorded(`systemctl-${version}-show-pattern.txt`);
    const systemd = new Systemd(replay({ [SHOW_ALL]: { stdout } }), await unitDirectory());
    expect(Object.fromEntries(await systemd.states(names))).toEqual(STATES);
  });
});

describe('systemctl show', () => {
  test('is not asked for no guest', async () => {
    expect(await new Systemd(replay({})).states([])).toEqual(new Map());
  });

  test('that says nothing of one guest leaves it unknown, of all guests that none was ever started', async () => {
    const systemd = new Systemd(replay({ [SHOW_ONE]: {}, [SHOW_ALL]: {} }), '/nonexistent');
    expect(await systemd.states([mail])).toEqual(new Map([['mail', { active: 'unknown', enabled: false }]]));
    expect(await systemd.isActive(mail)).toBe(false);
    expect([...(await systemd.states(names)).values()].every((each) => each.active === 'inactive')).toBe(
      true,
    );
  });

  test.each([
    ['active', true],
    ['activating', true],
    ['reloading', true],
    ['deactivating', true],
    ['inactive', false],
    ['failed', false],
  ])('with %s: whether something of the guest still runs is %s', async (state, active) => {
    const stdout = `Id=${UNIT}\nActiveState=${state}\nUnitFileState=enabled-runtime\n`;
    const systemd = new Systemd(replay({ [SHOW_ONE]: { stdout } }));
    expect(await systemd.isActive(mail)).toBe(active);
    expect((await systemd.states([mail])).get(mail)?.enabled).toBe(true);
  });

  test.each(['', '\n\n\n', '=\n', 'ActiveState=active\n', 'garbage\0'])('of %j gives no unit', (text) => {
    expect([...parseUnitStates(text).keys()]).toEqual([]);
  });
});

describe('starting', () => {
  test('that fails says what the guest said last, and where the rest is', async () => {
    const log = `journalctl --unit ${UNIT} --output=cat --lines=5 --no-pager --boot`;
    const systemd = new Systemd(
      replay({
        [`systemctl start ${UNIT}`]: { exitCode: 1, stderr: 'Job failed.\n' },
        [log]: { stdout: 'Failed to mount /etc\n' },
      }),
    );
    const failure = await failureOfLater(systemd.start(mail));
    expect(failure).toMatchObject({ reason: 'start-failed', guest: 'mail' });
    expect(failure.message).toContain('Failed to mount /etc');
    expect(failure.hint).toContain(`journalctl -u ${UNIT}`);
  });
});

describe('machinectl show', () => {
  const ask = (property: string): string => `machinectl show --property=${property} --value mail`;

  test('tells the directory and the first process of a running guest', async () => {
    const systemd = new Systemd(
      replay({ [ask('RootDirectory')]: { stdout: '/srv/x\n' }, [ask('Leader')]: { stdout: '4711\n' } }),
    );
    expect(await systemd.rootDirectory(mail)).toBe('/srv/x');
    expect(await systemd.leader(mail)).toBe(4711);
  });

  test('tells nothing of a guest that does not run', async () => {
    const gone = { exitCode: 1 };
    const systemd = new Systemd(replay({ [ask('RootDirectory')]: gone, [ask('Leader')]: gone }));
    expect(await systemd.rootDirectory(mail)).toBeUndefined();
    expect(await systemd.leader(mail)).toBeUndefined();
    const empty = new Systemd(
      replay({ [ask('RootDirectory')]: { stdout: '\n' }, [ask('Leader')]: { stdout: '0\n' } }),
    );
    expect(await empty.rootDirectory(mail)).toBeUndefined();
    expect(await empty.leader(mail)).toBeUndefined();
  });
});
