#!/bin/sh
# cut.sh UNIT KIND SECONDS COMMAND… runs a command as a unit of its own and kills it after SECONDS:
#   outer  the process that was started; what it started goes on
#   inner  its child, which is the one in the mount namespace; the children of that one go on
#   all    every process of the unit at the same moment
#   none   nothing is killed and nothing is waited for: the power is cut from outside
# Prints `ended` and the exit code if the command had ended before, `early` if there was no such process yet,
# `begun` if there is a journal or a lock was held just before, else `before`.
set -eu
unit=$1 kind=$2 seconds=$3
shift 3
mkdir -p /var/tmp/crash
# KillMode=process (systemd.kill(5)): what is left of the unit is not cleared away by systemd.
systemd-run --quiet --unit="$unit" --remain-after-exit --service-type=exec --property=KillMode=process \
  --property=StandardOutput=truncate:/var/tmp/crash/out --property=StandardError=truncate:/var/tmp/crash/err \
  --setenv=HOME=/root --setenv=LANG=C.UTF-8 -- "$@"
[ "$kind" != none ] || exit 0
main=$(systemctl show --property=MainPID --value "$unit")
sleep "$seconds"
group=/sys/fs/cgroup/system.slice/$unit.service
if [ "$main" = 0 ] || ! [ -d "/proc/$main" ]; then
  echo "ended $(systemctl show --property=ExecMainStatus --value "$unit")"
else
  child=$(cat "/proc/$main/task/$main/children" 2>/dev/null || true)
  child=${child%% *}
  said=before
  for lock in /run/guestree/lock/* /run/guestree/lock/.[a-z]*; do
    [ -e "$lock" ] || continue
    # proc_locks(5): the sixth field is MAJOR:MINOR:INODE.
    if grep -q "FLOCK .*:$(stat -c %i "$lock") " /proc/locks; then said=begun; fi
  done
  case $kind in
    outer) kill -KILL "$main" || said=gone ;;
    inner) if [ -n "$child" ]; then kill -KILL "$child" || said=gone; else said=early; echo 1 >"$group/cgroup.kill"; fi ;;
    all) echo 1 >"$group/cgroup.kill" ;;
  esac
  echo "$said"
fi
