#!/bin/sh
# Makes a package repository with a newer version of an installed-from package:
# newer.sh PACKAGE SUFFIX DEB DIRECTORY [FRAGMENT]
# The package is the distribution's own with its version raised, so that an upgrade to it is a real one. FRAGMENT is a
# shell command line that its postinst runs at its end: what a bad update does.
set -eu
package=$1 suffix=$2 deb=$3 directory=$4 fragment=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -R "$deb" "$work/tree"
version=$(dpkg-deb -f "$deb" Version)
sed -i "s/^Version: .*/Version: $version$suffix/" "$work/tree/DEBIAN/control"
if [ -n "$fragment" ]; then
  printf '%s\n' "$fragment" > "$work/fragment"
  mkdir -p "$work/tree/usr/share/fragment"
  mv "$work/fragment" "$work/tree/usr/share/fragment/$package"
  # debconf runs the script once more; a trap is set in both runs, and the first one is replaced by exec.
  sed -i "1a trap 'sh /usr/share/fragment/$package >&2' EXIT" "$work/tree/DEBIAN/postinst"
fi
mkdir -p "$directory"
dpkg-deb -b --root-owner-group "$work/tree" "$directory/${package}_newer$suffix.deb" >/dev/null
cd "$directory"
apt-ftparchive packages . > Packages
apt-ftparchive release . > Release
echo "$version$suffix"
