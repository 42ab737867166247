#!/bin/sh
# resume.sh UNIT PID lets a stopped command go on, waits for its end and prints its exit code.
set -eu
unit=$1 pid=$2
kill -CONT "$pid"
while [ "$(systemctl show --property=SubState --value "$unit")" = running ]; do sleep 0.05; done
systemctl show --property=ExecMainStatus --value "$unit"
systemctl stop "$unit" 2>/dev/null || true
systemctl reset-failed "$unit" 2>/dev/null || true
