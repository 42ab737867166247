import { parseCleanPath, type GuestName } from '../model/names.ts';
import { UnitFile } from '../unitfile/unitfile.ts';
import { BOOT_SCRIPT } from './boot.ts';
import { argument, word } from './words.ts';

/** Units of the host that do not depend on a guest's generation. They are written when the first guest is made. */
export const STATE_UNIT = 'guestree-state.service';
export const RECOVER_UNIT = 'guestree-recover.service';
export const GUARD_UNIT = 'guestree-guard.service';

/**
 * The static drop-in of a guest. Nothing in it changes at a switch, because /etc of an ostree host goes back in time
 * when the host is rolled back, and because PID 1 reads it before a separate /var is mounted.
 *
 * - AssertPathExists=: without its .nspawn file a guest would be started by the template's defaults, that is writable.
 * - ExecStartPre= waits until machined has given back the name of the machine that was just stopped, the cause of
 *   "Machine already exists" on a quick restart (systemd#24045). Then it takes away what an nspawn that was killed has
 *   left, which would make the next one refuse: "Mount point /run/systemd/nspawn/unix-export/… exists already" (seen on
 *   systemd 257). Then it deletes the link for held ports, if the kernel
 *   has not got to it yet: nspawn leaves that to the end of the guest's network namespace, which comes at any time.
 *   Held ports are asked for here and not by Wants=: `machinectl start` leaves out what would change a job that is
 *   queued (StartUnit() with the mode "fail"; transaction.c, transaction_minimize_impact()), and right after a stop there
 *   is one; and when the host boots, the jobs are made before the recovery has written the units. The link is restarted,
 *   because a restart of the guest restarts what is bound to it (systemd.unit(5), BindsTo=) at once, while the old machine
 *   is still there.
 * - The second one waits until not too many other guests boot (boot.ts). NotifyAccess=exec lets it say so; the guest
 *   itself is not let in by that: it has no access to the socket, and is none of the unit's own commands.
 */
export function renderStaticDropIn(name: GuestName, state: string, nspawn = '/etc/systemd/nspawn'): string {
  const unit = UnitFile.parse(`# Made by guestree for the guest ${name}.\n`);
  unit.add('Unit', 'RequiresMountsFor', word(parseCleanPath(state)));
  unit.add('Unit', 'Requires', STATE_UNIT);
  unit.add('Unit', 'Wants', RECOVER_UNIT);
  unit.add('Unit', 'After', `${STATE_UNIT} ${RECOVER_UNIT}`);
  unit.add('Unit', 'AssertPathExists', `${nspawn}/%i.nspawn`);
  const wait =
    'n=0; while [ $$n -lt 500 ] && machinectl show %i >/dev/null 2>&1; do n=$$((n+1)); sleep 0.02; done';
  const pair = '/run/guestree/ports/%i/pair';
  const exported = '/run/systemd/nspawn/unix-export/%i';
  const unexport = `[ ! -e ${exported} ] || umount ${exported}`;
  const unlink = '[ ! -e /sys/class/net/$$INTERFACE ] || ip link delete $$INTERFACE';
  const start =
    'systemctl --no-block restart guestree-link@%i.service; systemctl --no-block start guestree-ports@%i.service';
  const ports = `. ${pair}; ${unlink}; ${start}`;
  unit.add(
    'Service',
    'ExecStartPre',
    `-/bin/sh -c '${wait}; ${unexport}; if [ -e ${pair} ]; then ${ports}; fi'`,
  );
  unit.add('Service', 'ExecStartPre', `-/bin/sh ${argument(`${state}/${BOOT_SCRIPT}`)} %i`);
  unit.add('Service', 'NotifyAccess', 'exec');
  unit.add('Service', 'TimeoutStartSec', '5min');
  return unit.toString();
}

/**
 * Binds the state directory writable at a second place. On a host with a read-only /sysroot the first place cannot
 * be written by a guest, and nspawn needs the second one anyway (see renderNspawn()). `remount,bind,rw` changes the
 * flag of this one mount (mount(8)).
 */
export function renderStateUnit(state: string, alias: string): string {
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Writable mount of the guestree state directory')
    .add('Unit', 'RequiresMountsFor', word(parseCleanPath(state)))
    .add('Unit', 'ConditionPathIsMountPoint', `!${parseCleanPath(alias)}`)
    .add('Service', 'Type', 'oneshot')
    .add('Service', 'RemainAfterExit', 'yes')
    .add('Service', 'ExecStart', `/bin/mkdir -p ${argument(alias)}`)
    .add('Service', 'ExecStart', `/bin/mount --bind ${argument(state)} ${argument(alias)}`)
    .add('Service', 'ExecStart', `/bin/mount -o remount,bind,rw ${argument(alias)}`)
    .toString();
}

/** Finishes or undoes at boot what a power cut interrupted, before any guest is started. */
export function renderRecoverUnit(state: string, program: readonly string[]): string {
  const argv = program.map(argument).join(' ');
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Finish or undo interrupted guestree operations')
    .add('Unit', 'RequiresMountsFor', word(parseCleanPath(state)))
    .add('Unit', 'ConditionPathExists', parseCleanPath(state))
    .add('Unit', 'After', 'local-fs.target')
    .add('Unit', 'Before', 'machines.target')
    .add('Service', 'Type', 'oneshot')
    .add('Service', 'RemainAfterExit', 'yes')
    .add('Service', 'Environment', word(`GUESTREE_STATE=${parseCleanPath(state)}`))
    .add('Service', 'ExecStart', `${argv} recover --boot`)
    .add('Install', 'WantedBy', 'multi-user.target')
    .toString();
}

/**
 * Runs while a guard window is open. If guestree was killed in it, this gives the host back what it had staged *before*
 * ostree-finalize-staged.service finishes whatever is staged then: units stop in the reverse of the order in which they
 * start (systemd.unit(5), After=), and both stop as late as ostree's own unit wants.
 */
export function renderGuardUnit(state: string, program: readonly string[]): string {
  const argv = [...program.map(argument), 'guard', '--at-shutdown'].join(' ');
  return UnitFile.parse('# Made by guestree.\n')
    .add('Unit', 'Description', 'Give the host back its staged deployment if guestree was cut off')
    .add('Unit', 'DefaultDependencies', 'no')
    .add('Unit', 'RequiresMountsFor', `/sysroot /boot ${word(parseCleanPath(state))}`)
    .add('Unit', 'After', 'local-fs.target ostree-finalize-staged.service')
    .add('Unit', 'Before', 'basic.target final.target')
    .add('Unit', 'Conflicts', 'final.target')
    .add('Service', 'Type', 'oneshot')
    .add('Service', 'RemainAfterExit', 'yes')
    .add('Service', 'Environment', word(`GUESTREE_STATE=${parseCleanPath(state)}`))
    .add('Service', 'ExecStart', '/bin/true')
    .add('Service', 'ExecStop', argv)
    .add('Service', 'TimeoutStopSec', '5min')
    .toString();
}
