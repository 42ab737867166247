#!/bin/sh
# Makes versions of a tiny package in a repository: marker.sh DIRECTORY VERSION…
# It adds a user, owns a directory and a file below /var, and has a file in /etc and one in /usr that tell its version.
set -eu
directory=$1
shift
mkdir -p "$directory"
for version in "$@"; do
  work=$(mktemp -d)
  mkdir -p "$work/DEBIAN" "$work/usr/share/marker" "$work/etc/marker" "$work/var/lib/marker"
  cat > "$work/DEBIAN/control" <<EOF
Package: marker
Version: $version
Architecture: all
Maintainer: Test <test@example.org>
Description: tells which version of it is there
EOF
  echo "$version" > "$work/usr/share/marker/version"
  echo "$version" > "$work/etc/marker/version"
  echo "$version" > "$work/var/lib/marker/seed"
  dpkg-deb -b --root-owner-group "$work" "$directory/marker_${version}_all.deb" >/dev/null
  rm -rf "$work"
done
cd "$directory"
apt-ftparchive packages . > Packages
apt-ftparchive release . > Release
