#!/usr/bin/env bash
# Installs what the integration, lab and crash tests, the demo and the bench need on a Debian 12 (or newer) machine.
# Does nothing, and calls no apt, when every program is there. Starts and enables no service of the machine.
set -euo pipefail

# program:package, one pair per program that the tests call.
needed=(
  mmdebstrap:mmdebstrap
  systemd-nspawn:systemd-container
  journalctl:systemd
  systemctl:systemd
  systemd-analyze:systemd
  openssl:openssl
  ostree:ostree
  zstd:zstd
  tar:tar
  ip:iproute2
  slirp4netns:slirp4netns
  unshare:util-linux
  nsenter:util-linux
  setpriv:util-linux
  flock:util-linux
  losetup:mount
  mount:mount
  mkfs.ext4:e2fsprogs
  dpkg-deb:dpkg
  apt-ftparchive:apt-utils
)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

PATH=$PATH:/usr/sbin:/sbin
packages=()
for pair in "${needed[@]}"; do
  command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
done
[ -e "$keyring" ] || packages+=(debian-archive-keyring)
[ "${#packages[@]}" -gt 0 ] || exit 0

echo "prepare: missing: ${packages[*]}" >&2
if [ "$(id -u)" -ne 0 ]; then
  echo "prepare: not root, so nothing can be installed; run: sudo apt-get install ${packages[*]}" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "prepare: this machine has no apt-get; install the programs above by hand" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0)

# A package must not start its daemon on this machine (invoke-rc.d asks this file; 101 is "action forbidden").
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# The lists may be new enough. If they are not, refresh them; a source of somebody else that fails is no reason to stop.
if ! "${install[@]}" "${packages[@]}" >/dev/null 2>&1; then
  apt-get update >&2 || echo "prepare: some apt sources failed; going on with the others" >&2
  "${install[@]}" "${packages[@]}" >&2
fi

for pair in "${needed[@]}"; do
  command -v "${pair%%:*}" >/dev/null || {
    echo "prepare: ${pair%%:*} is still missing after installing ${pair#*:}" >&2
    exit 1
  }
done
