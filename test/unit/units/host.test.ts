import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import {
  GUARD_UNIT,
  RECOVER_UNIT,
  renderGuardUnit,
  renderRecoverUnit,
  renderStateUnit,
  renderStaticDropIn,
  STATE_UNIT,
} from '../../../src/units/host.ts';
import {
  renderTimerDropIn,
  renderUpgradeService,
  renderUpgradeTimer,
  UPGRADE_SERVICE,
  UPGRADE_TIMER,
} from '../../../src/units/upgrade.ts';
import { failureOf } from '../failures.ts';
import { expectGolden } from './golden.ts';

const mail = parseGuestName('mail');
const PROGRAM = ['/usr/bin/node', '/usr/lib/guestree/guestree.js'];

describe('the units of the host', () => {
  test('are the golden ones', () => {
    expectGolden('static-drop-in.conf', renderStaticDropIn(mail, '/var/lib/guestree'));
    expectGolden(STATE_UNIT, renderStateUnit('/var/lib/guestree', '/run/guestree/state'));
    expectGolden(RECOVER_UNIT, renderRecoverUnit('/var/lib/guestree', PROGRAM));
    expectGolden(GUARD_UNIT, renderGuardUnit('/var/lib/guestree', PROGRAM));
    expectGolden(UPGRADE_SERVICE, renderUpgradeService('/var/lib/guestree', PROGRAM));
    expectGolden(UPGRADE_TIMER, renderUpgradeTimer());
  });

  test('are the golden ones for a state directory with a space and a dollar sign', () => {
    const state = '/srv/my $guests';
    expectGolden('odd-path/static-drop-in.conf', renderStaticDropIn(mail, state));
    expectGolden(
      `odd-path/${UPGRADE_SERVICE}`,
      renderUpgradeService(state, ['/opt/my node', '/opt/$x/guestree.js']),
    );
    expectGolden(`odd-path/${STATE_UNIT}`, renderStateUnit(state, '/run/guestree/state'));
    expectGolden(
      `odd-path/${RECOVER_UNIT}`,
      renderRecoverUnit(state, ['/opt/my node', '/opt/$x/guestree.js']),
    );
    expectGolden(`odd-path/${GUARD_UNIT}`, renderGuardUnit(state, ['/opt/my node', '/opt/$x/guestree.js']));
  });

  test.each(['relative', '/a\nExecStart=/bin/sh', '/a"b', "/a'b", '/a%h', '/a\\', '/../x'])(
    'are not made for the state directory %j',
    (state) => {
      expect(failureOf(() => renderStaticDropIn(mail, state)).reason).toBe('invalid');
      expect(failureOf(() => renderStateUnit(state, '/run/x')).reason).toBe('invalid');
      expect(failureOf(() => renderStateUnit('/srv', state)).reason).toBe('invalid');
      expect(failureOf(() => renderRecoverUnit(state, PROGRAM)).reason).toBe('invalid');
      expect(failureOf(() => renderRecoverUnit('/srv', [state])).reason).toBe('invalid');
      expect(failureOf(() => renderUpgradeService(state, PROGRAM)).reason).toBe('invalid');
      expect(failureOf(() => renderUpgradeService('/srv', [state])).reason).toBe('invalid');
    },
  );

  test('make no guest start before what was interrupted is recovered and its state is mounted', () => {
    const file = UnitFile.parse(renderStaticDropIn(mail, '/var/lib/guestree'));
    expect(file.lookupAllWords('Unit', 'After')).toEqual([STATE_UNIT, RECOVER_UNIT]);
    expect(file.lookup('Unit', 'Requires')).toBe(STATE_UNIT);
    expect(file.lookup('Unit', 'RequiresMountsFor')).toBe('/var/lib/guestree');
  });

  test('take back the times of the template for a guest that has its own', () => {
    const schedule = { windows: [], onCalendar: ['Sat 03:00', 'Wed 04:30'], randomizedDelaySec: '1h 30min' };
    expectGolden('timer-drop-in.conf', renderTimerDropIn(mail, schedule));
    // An empty assignment first: without it the guest would be upgraded every hour as well.
    expect(renderTimerDropIn(mail, schedule)).toMatch(/^\[Timer\]\nOnCalendar=\nOnCalendar=Sat 03:00\n/m);
  });

  test('give the host back its staged deployment before ostree finishes whatever is staged', () => {
    const file = UnitFile.parse(renderGuardUnit('/srv', PROGRAM));
    // Units are stopped in the reverse of the order in which they are started.
    expect(file.lookupAllWords('Unit', 'After')).toContain('ostree-finalize-staged.service');
    expect(file.lookup('Service', 'ExecStop')).toMatch(/ guard --at-shutdown$/);
    expect(file.lookup('Unit', 'DefaultDependencies')).toBe('no');
  });

  test('contain nothing that a switch changes: the drop-in is the same for every generation', () => {
    expect(renderStaticDropIn(mail, '/srv')).not.toMatch(/generation|current|[0-9a-f]{64}/);
  });
});
