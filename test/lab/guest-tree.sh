#!/usr/bin/env bash
# guest-tree.sh ROOT: gives a freshly composed Debian tree what a guest needs to be reached: networkd for host0 (its
# .network file comes with systemd), and nothing of the machine that composed it. Run by image.ts after mmdebstrap.
set -euo pipefail
root=$1

rm -f "$root/etc/hostname"
# systemd-resolved's package makes it a link to its stub; mmdebstrap had put the machine's own file there.
[ -L "$root/etc/resolv.conf" ] || ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/apt/*.bin
rm -rf "$root"/var/log/* "$root"/var/cache/debconf/*-old "$root"/dev/* "$root"/run/*

units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/dbus-org.freedesktop.network1.service"
ln -sf /lib/systemd/system/systemd-networkd.socket "$units/sockets.target.wants/"
