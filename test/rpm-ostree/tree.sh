#!/usr/bin/env bash
# tree.sh TAR STATEROOT [PROGRAM]: makes an OS of its own on an ostree-booted lab host: the RPM distribution of the tests
# as an OSTree tree (https://ostreedev.github.io/ostree/adapting-existing/), committed to the host's repository as
# STATEROOT/1 and deployed behind the host's own deployments. PROGRAM becomes usr/bin/rpm-ostree of the tree.
set -euo pipefail
tar=$1 stateroot=$2 program=${3-}
# On the mount of the repository, so that files are moved into it.
root=$(mktemp -d /sysroot/rpm-tree.XXXXXX)
trap 'rm -rf "$root"' EXIT

tar --extract --file="$tar" --directory="$root" --numeric-owner --xattrs
[ -z "$program" ] || install -m 755 "$program" "$root/usr/bin/rpm-ostree"
cd "$root"
{
  find var -mindepth 1 -type d -printf 'd /%p %m %u %g -\n' | sort -k2
  for dir in home opt srv mnt usrlocal; do echo "d /var/$dir 755 root root -"; done
  echo 'd /var/roothome 700 root root -'
} >usr/lib/tmpfiles.d/rpm-tree-var.conf
rm -rf var home opt srv mnt root media usr/local boot sysroot run tmp dev proc sys
mkdir var boot sysroot run dev proc sys
mkdir -m 1777 tmp
for dir in home opt srv mnt; do ln -s "var/$dir" "$dir"; done
ln -s var/roothome root
ln -s run/media media
ln -s sysroot/ostree ostree
ln -s ../var/usrlocal usr/local
mv etc usr/etc
mkdir -p usr/lib/modules/0-lab
echo 'stub kernel' >usr/lib/modules/0-lab/vmlinuz

ostree --repo=/ostree/repo commit --branch="$stateroot/1" --no-bindings --fsync=false --consume \
  --add-metadata-string=version=1 --tree=dir="$root" >/dev/null
ostree admin os-init "$stateroot" >/dev/null
ostree admin deploy --os="$stateroot" --not-as-default --retain --karg=quiet "$stateroot/1" >/dev/null
