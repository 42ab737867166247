#!/bin/sh
# Makes a package repository with a newer version of an installed-from package: newer.sh PACKAGE SUFFIX DEB DIRECTORY
# The package is the distribution's own with its version raised, so that an upgrade to it is a real one.
set -eu
package=$1 suffix=$2 deb=$3 directory=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -R "$deb" "$work/tree"
version=$(dpkg-deb -f "$deb" Version)
sed -i "s/^Version: .*/Version: $version$suffix/" "$work/tree/DEBIAN/control"
mkdir -p "$directory"
dpkg-deb -b --root-owner-group "$work/tree" "$directory/${package}_newer$suffix.deb" >/dev/null
cd "$directory"
apt-ftparchive packages . > Packages
apt-ftparchive release . > Release
echo "$version$suffix"
