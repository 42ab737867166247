#!/bin/sh
# hold.sh UNIT FAILPOINT COMMAND… runs a command as a unit, and returns when it has stopped itself before a step
# (GUESTREE_FAILPOINT=stop:N in src/app/app.ts) or has ended.
set -eu
unit=$1 failpoint=$2
shift 2
mkdir -p /run/full
systemd-run --quiet --unit="$unit" --remain-after-exit --service-type=exec \
  --property=StandardOutput=truncate:/run/full/out --property=StandardError=truncate:/run/full/err \
  --setenv=GUESTREE_FAILPOINT="$failpoint" --setenv=HOME=/root --setenv=LANG=C.UTF-8 -- "$@"
while [ "$(systemctl show --property=SubState --value "$unit")" = running ]; do
  for pid in $(cat "/sys/fs/cgroup/system.slice/$unit.service/cgroup.procs"); do
    # proc_pid_stat(5): the state comes after the name in brackets; T is stopped by a signal.
    if grep -q ') T ' "/proc/$pid/stat" 2>/dev/null; then
      echo "$pid"
      exit 0
    fi
  done
  sleep 0.05
done
echo ended
