#!/usr/bin/env bash
# compose.sh ROOT SPECS OUTPUT: makes LabOS in a Debian root that has rpm, dnf, createrepo_c and gpg (distribution.ts
# composes it). OUTPUT gets base-labos.tar, the root file system, and repository/ with 1/, 2/ and the key.
# Everything that builds runs inside of ROOT, so the machine's own rpm, if it has one, does not matter.
set -euo pipefail
root=$1 specs=$2 output=$3

if [ "${4-}" != inside ]; then
  exec unshare --mount --pid --fork --kill-child --propagation=private bash "$0" "$root" "$specs" "$output" inside
fi

build=$root/build
mkdir -p "$build/base"
# Everything but what Debian's package managers know, what was built from it, and what only this machine has.
tar --create --directory="$root" --numeric-owner --one-file-system --exclude=./build --exclude='./proc/*' --exclude='./sys/*' \
  --exclude='./dev/*' --exclude='./run/*' --exclude='./tmp/*' --exclude='./var/lib/dpkg' --exclude='./var/lib/apt' \
  --exclude='./var/cache/*' --exclude='./var/log/*' --exclude='./var/lib/rpm' --exclude='./var/lib/dnf' \
  --exclude='./etc/apt' --exclude='./usr/share/doc' --exclude='./usr/share/info' --exclude='./etc/os-release' \
  --exclude='./usr/lib/os-release' --exclude='./etc/dnf/dnf.conf' --exclude='./etc/hostname' \
  --exclude='./etc/resolv.conf' --exclude='./usr/bin/apt*' --exclude='./usr/bin/dpkg*' --exclude='./usr/lib/apt' \
  --exclude='*-' . |
  tar --extract --directory="$build/base" --preserve-permissions --numeric-owner
ln -s ../run/systemd/resolve/stub-resolv.conf "$build/base/etc/resolv.conf"
: >"$build/base/etc/machine-id"
units=$build/base/etc/systemd/system
mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/dbus-org.freedesktop.network1.service"
ln -sf /lib/systemd/system/systemd-networkd.socket "$units/sockets.target.wants/"

# The builder keeps its rpm database where the new system will have it (labos-release has the same line).
echo '%_dbpath %{_usr}/lib/sysimage/rpm' >"$root/usr/lib/rpm/macros.d/macros.labos"
cp -r "$specs" "$build/SOURCES"
cp "$(dirname "$0")/packages.sh" "$build/"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
chroot "$root" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/build/home bash /build/packages.sh

tar --create --file="$output/base-labos.tar" --numeric-owner --xattrs --sort=name --directory="$build/root" .
mv "$build/repository" "$output/repository"
