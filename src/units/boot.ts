/** The file below the state directory that the static drop-in of each guest runs before the guest boots. */
export const BOOT_SCRIPT = 'boot.sh';

/** How many guests boot at the same time where there are few processors; else two for each processor. */
const FEWEST = 4;

/**
 * `boot.sh NAME` lets only some guests boot at the same time, so that of many that start together each boots as fast
 * as alone, instead of all of them running into time limits. It needs no guestree that runs.
 *
 * - A slot is a file below /run, taken under a lock. Only the first in the queue looks whether one is free; all others
 *   sleep in flock(1). A single start finds a free slot at once: that costs a shell and flock.
 * - Nobody gives a slot back. Where all are taken, those of guests that are not being started any more are free:
 *   booted, failed or killed. A guest that has not booted after a minute keeps nobody waiting any longer.
 * - A service's time limit holds for each of its commands (systemd.service(5), TimeoutStartSec=), and this one has it
 *   extended for as long as it waits (sd_notify(3), EXTEND_TIMEOUT_USEC=), so the queue is not held against a guest.
 */
export function renderBootScript(): string {
  return `#!/bin/sh
# Made by guestree. Before a guest boots: boot.sh NAME
name=$1
cd /run/guestree/boot 2>/dev/null || { mkdir -p /run/guestree/boot && cd /run/guestree/boot; } || exit 0

# Of an earlier boot: while this guest waits, nobody may take it for one that boots.
[ ! -e "slot.$name" ] || rm -f "slot.$name"

extend() {
  systemd-notify EXTEND_TIMEOUT_USEC=120000000 --status='Waits until fewer guests boot'
}

# Sets the number of slots that are taken.
count() {
  set -- slot.*
  [ -e "$1" ] && taken=$# || taken=0
}

# Frees the slots of guests that are not being started any more.
free() {
  units=
  for slot in slot.*; do units="$units systemd-nspawn@\${slot#slot.}.service"; done
  systemctl is-active $units | for slot in slot.*; do
    read -r state && [ "$state" != activating ] && rm -f "$slot"
  done
  find . -name 'slot.*' -mmin +1 -delete
}

exec 9>queue
until flock --timeout 30 9; do extend; done
count
if [ $taken -ge ${FEWEST} ]; then
  slots=$(($(nproc) * 2))
  [ $slots -ge ${FEWEST} ] || slots=${FEWEST}
  round=0
  while free; count; [ $taken -ge $slots ]; do
    [ $((round % 100)) -ne 0 ] || extend
    round=$((round + 1))
    sleep 0.1
  done
fi
: >"slot.$name"
`;
}
