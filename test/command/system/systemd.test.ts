import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { parseUnitStates, Systemd } from '../../../src/system/systemd.ts';
import { failureOfLater } from '../../unit/failures.ts';
import { recorded, replay } from '../recorded.ts';

const names = ['mail', 'web', 'broken', 'masked'].map(parseGuestName);
const mail = parseGuestName('mail');
const UNIT = 'systemd-nspawn@mail.service';

const STATES = {
  mail: { active: 'active', enabled: true },
  web: { active: 'inactive', enabled: false },
  broken: { active: 'failed', enabled: false },
  masked: { active: 'inactive', enabled: false },
};

const show = (...units: string[]): string =>
  `systemctl show --property=Id,ActiveState,UnitFileState ${units.map((unit) => `systemd-nspawn@${unit}.service`).join(' ')}`;

describe('systemctl show', () => {
  test.each(['252', '257'])('of systemd %s is read, one block a unit', (version) => {
    const states = parseUnitStates(recorded(`systemctl-${version}-show.txt`));
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(
        Object.entries(STATES).map(([name, state]) => [`systemd-nspawn@${name}.service`, state]),
      ),
    );
  });

  test('is asked once for all guests', async () => {
    const stdout = recorded('systemctl-252-show.txt');
    const systemd = new Systemd(replay({ [show(...names)]: { stdout } }));
    expect(Object.fromEntries(await systemd.states(names))).toEqual(STATES);
    expect(await systemd.states([])).toEqual(new Map());
  });

  test('that says nothing of a unit leaves it unknown', async () => {
    const systemd = new Systemd(replay({ [show('mail')]: { stdout: '' } }));
    expect(await systemd.states([mail])).toEqual(new Map([['mail', { active: 'unknown', enabled: false }]]));
    expect(await systemd.isActive(mail)).toBe(false);
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
    const systemd = new Systemd(replay({ [show('mail')]: { stdout } }));
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
