#!/usr/bin/env bash
# ostree-tree.sh ROOT: turns a Debian tree into one that ostree can deploy and that boots as an ostree host.
# The layout is that of https://ostreedev.github.io/ostree/adapting-existing/ (usr/etc, an empty /var that tmpfiles.d
# fills, top-level directories as links into /var).
set -euo pipefail
root=$1
cd "$root"

# dpkg's database describes /usr, so it belongs to the tree.
mkdir -p usr/lib/sysimage usr/lib/tmpfiles.d
mv var/lib/dpkg usr/lib/sysimage/dpkg

# Every directory and link that the packages left in /var comes back by tmpfiles.d, on ostree of any age.
{
  echo '# Written when the tree was made: what the packages had in /var.'
  find var -mindepth 1 -type d -printf 'd /%p %m %u %g -\n' | sort -k2
  find var -mindepth 1 -type l -printf 'L /%p - - - - %l\n' | sort -k2
  echo 'L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg'
  for dir in home opt srv mnt usrlocal usrlocal/bin usrlocal/sbin usrlocal/lib usrlocal/share; do
    echo "d /var/$dir 755 root root -"
  done
  echo 'd /var/roothome 700 root root -'
  echo 'd /run/media 755 root root -'
} >usr/lib/tmpfiles.d/labhost-var.conf
rm -rf var home opt srv mnt root media usr/local boot sysroot run tmp dev proc sys
mkdir var boot sysroot run dev proc sys
mkdir -m 1777 tmp
ln -s var/home home
ln -s var/opt opt
ln -s var/srv srv
ln -s var/mnt mnt
ln -s var/roothome root
ln -s run/media media
ln -s sysroot/ostree ostree
ln -s ../var/usrlocal usr/local

mv etc usr/etc

# `ostree admin deploy` refuses a tree without a kernel; a box needs none.
mkdir -p usr/lib/modules/0-lab
echo 'stub kernel of a lab host' >usr/lib/modules/0-lab/vmlinuz
echo 'stub initramfs of a lab host' >usr/lib/modules/0-lab/initramfs.img
