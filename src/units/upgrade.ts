import { parseCleanPath, type GuestName } from '../model/names.ts';
import { DEFAULT_SCHEDULE, type Schedule } from '../model/schedule.ts';
import { UnitFile } from '../unitfile/unitfile.ts';
import { RECOVER_UNIT, STATE_UNIT } from './host.ts';
import { argument, word } from './words.ts';

/** Templates of the host for upgrades that nobody asks for; the instance is the guest's name. Disabled by default. */
export const UPGRADE_SERVICE = 'guestree-upgrade@.service';
export const UPGRADE_TIMER = 'guestree-upgrade@.timer';

export function upgradeTimer(name: GuestName): string {
  return `guestree-upgrade@${name}.timer`;
}

/**
 * The service. 77 says that there was nothing to do or that a hold or a closed window stood against it, which is no
 * failure. What is built must not slow down the guests that run; a guest that it starts is a child of PID 1 and not
 * of this service, so its priority is its own.
 */
export function renderUpgradeService(state: string, program: readonly string[]): string {
  const argv = program.map(argument).join(' ');
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Unattended upgrade of the guest %i')
    .add('Unit', 'RequiresMountsFor', word(parseCleanPath(state)))
    .add('Unit', 'ConditionPathExists', `${parseCleanPath(state)}/guests/%i/current`)
    .add('Unit', 'Wants', 'network-online.target')
    .add('Unit', 'Requires', STATE_UNIT)
    .add('Unit', 'After', `network-online.target ${STATE_UNIT} ${RECOVER_UNIT}`)
    .add('Service', 'Type', 'oneshot')
    .add('Service', 'Environment', word(`GUESTREE_STATE=${parseCleanPath(state)}`))
    .add('Service', 'ExecStart', `${argv} upgrade --unattended %i`)
    .add('Service', 'SuccessExitStatus', '77')
    .add('Service', 'Nice', '10')
    .add('Service', 'IOSchedulingClass', 'best-effort')
    .add('Service', 'IOSchedulingPriority', '7')
    .add('Service', 'TimeoutStopSec', '5min')
    .toString();
}

/**
 * The timer (systemd.timer(5)). FixedRandomDelay= gives each guest its own moment, the same every time, so that the
 * guests of a host and the hosts of a site do not all ask the archive at once; a run that was missed while the host was
 * off is made up for.
 */
export function renderUpgradeTimer(): string {
  const unit = UnitFile.parse(
    '# Made by guestree. Enable it for a guest with: systemctl enable --now guestree-upgrade@NAME.timer\n',
  ).add('Unit', 'Description', 'Unattended upgrades of the guest %i');
  addTimes(unit, DEFAULT_SCHEDULE);
  return unit
    .add('Timer', 'FixedRandomDelay', 'yes')
    .add('Timer', 'AccuracySec', '1min')
    .add('Timer', 'Persistent', 'yes')
    .add('Install', 'WantedBy', 'timers.target')
    .toString();
}

/** What a guest's timer has of its own. The empty assignment takes back the template's times (systemd.timer(5)). */
export function renderTimerDropIn(name: GuestName, schedule: Schedule): string {
  const unit = UnitFile.parse(`# Made by guestree from [Upgrade] in ${name}.guest; edit that instead.\n`);
  unit.add('Timer', 'OnCalendar', '');
  addTimes(unit, schedule);
  return unit.toString();
}

function addTimes(unit: UnitFile, { onCalendar, randomizedDelaySec }: Schedule): void {
  for (const event of onCalendar) unit.add('Timer', 'OnCalendar', event);
  unit.add('Timer', 'RandomizedDelaySec', randomizedDelaySec);
}
