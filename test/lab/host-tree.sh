#!/usr/bin/env bash
# host-tree.sh ROOT MIRROR-SOURCES: gives a freshly composed Debian tree the configuration of a lab host.
# It is what both kinds of lab host share: the ostree-booted one and the plain one. Run by image.ts after mmdebstrap.
set -euo pipefail
root=$1

# The name of the machine that composed the tree, and what mmdebstrap copied from it, must not be part of it.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/apt/*.bin
rm -rf "$root"/var/log/* "$root"/var/cache/debconf/*-old "$root"/var/backups/*
: >"$root/etc/machine-id"

# The lab's user-mode network (box.ts): fixed addresses, and a resolver at .3 that asks the machine's own.
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
cat >"$root/etc/systemd/network/10-uplink.network" <<'END'
[Match]
Name=uplink0

[Network]
Address=10.0.2.100/24
Gateway=10.0.2.2
DNS=10.0.2.3
LinkLocalAddressing=no
IPv6AcceptRA=no
# Guests reach the uplink through masquerading, which their own .network files ask for.
IPv4Forwarding=yes
END

units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants" "$units/systemd-udev-trigger.service.d"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/dbus-org.freedesktop.network1.service"
ln -sf /lib/systemd/system/systemd-networkd.socket "$units/sockets.target.wants/"

# What costs time at boot, changes the tree by a timer in the middle of a test, or fails in a box (no modules, no console).
for unit in systemd-networkd-wait-online.service systemd-modules-load.service systemd-firstboot.service \
  systemd-random-seed.service systemd-pstore.service systemd-hwdb-update.service systemd-journal-catalog-update.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-hibernate-clear.service \
  systemd-ask-password-console.path systemd-ask-password-wall.path \
  console-getty.service getty@.service serial-getty@.service getty-static.service \
  modprobe@.service e2scrub_reap.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer; do
  ln -sf /dev/null "$units/$unit"
done

# PID 1 looks at its mount table at most five times a second; each mount unit at boot can cost it most of a second.
for unit in run-lock.mount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount sys-fs-fuse-connections.mount var-lib-machines.mount; do
  ln -sf /dev/null "$units/$unit"
done

# udevd is needed, because networkd waits for it where /sys is writable; but it has to look only at the links of the
# box: re-triggering block devices would reach the udevd of the machine, too.
cat >"$units/systemd-udev-trigger.service.d/lab.conf" <<'END'
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net
END

# The journal has to be there after a power cut.
mkdir -p "$root/etc/systemd/journald.conf.d"
cat >"$root/etc/systemd/journald.conf.d/lab.conf" <<'END'
[Journal]
Storage=persistent
SyncIntervalSec=1s
RateLimitIntervalSec=0
SystemMaxUse=64M
END

# A stop that hangs should fail a test by its own time limit, not by 90 seconds of silence.
mkdir -p "$root/etc/systemd/system.conf.d"
cat >"$root/etc/systemd/system.conf.d/lab.conf" <<'END'
[Manager]
DefaultTimeoutStopSec=20s
LogLevel=info
END

# Where the machine's own Node is bound (Debian 12 has Node 18, guestree needs 20).
install -m 755 /dev/null "$root/usr/bin/node"
echo 'VERSION=1' >"$root/usr/lib/labhost-release"
