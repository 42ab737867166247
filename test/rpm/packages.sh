#!/usr/bin/env bash
# packages.sh: builds, signs and indexes the packages of LabOS and installs its root file system from them, with real
# rpmbuild, rpmsign, createrepo_c and dnf. Runs inside of the Debian root that compose.sh prepared, on its /build.
set -euo pipefail
cd /build
mkdir -p home repository/1 repository/2 rpms
chmod 700 home

gpg --batch --quiet --passphrase '' --quick-generate-key 'LabOS (throw-away key of a test) <labos@example.org>' rsa2048 sign never
gpg --batch --quiet --armor --export labos@example.org >repository/RPM-GPG-KEY-labos

# What is a directory and what a file, and whose: rpmbuild gives everything to root that is not said to be another's.
(
  cd base
  find . -mindepth 1 -type d -printf '%%dir %%attr(-, %u, %g) "/%P"\n'
  find . -mindepth 1 ! -type d -printf '%%attr(-, %u, %g) "/%P"\n'
) >base.files

build() { # SPEC DIRECTORY [OPTION…]
  rpmbuild --quiet -bb --define '_topdir /build/top' --define '_sourcedir /build/SOURCES' \
    --define "_rpmdir $2" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
    --define '_binary_payload w1.zstdio' --define '_build_id_links none' --define 'debug_package %{nil}' \
    --define '__os_install_post %{nil}' --define '_unpackaged_files_terminate_build 0' \
    --define 'source_date_epoch_from_changelog 0' "${@:3}" "SOURCES/$1.spec"
}
sign() {
  rpmsign --define '_gpg_name labos@example.org' --addsign "$@" >/dev/null
}

build labos-base rpms
build labos-release rpms
for version in 1.0 2.0; do
  for name in hello hello-libs; do build "$name" repository/2 --define "hello $version"; done
done
for name in broken shaky conflicting; do build "$name" repository/2; done
cp rpms/labos-release-1-1.noarch.rpm repository/2/
sign rpms/*.rpm repository/2/*.rpm
build unsigned repository/2
cp -a repository/2/. repository/1/
rm repository/1/hello*-2.0-*.rpm
for directory in repository/1 repository/2 rpms; do createrepo_c --quiet "$directory"; done

# The accounts have to be there before the first file that belongs to one of them, as with Fedora's package setup.
mkdir -p root/etc
cp -a base/etc/passwd base/etc/group base/etc/shadow base/etc/gshadow root/etc/
gpgkey=file:///build/repository/RPM-GPG-KEY-labos
dnf --quiet --assumeyes --installroot=/build/root --releasever=1 --disablerepo='*' --repofrompath=rpms,file:///build/rpms \
  --setopt=rpms.gpgcheck=1 --setopt=rpms.gpgkey="$gpgkey" --setopt=install_weak_deps=0 --setopt=tsflags= \
  install labos-base
rm -rf root/var/cache/dnf root/var/log/* root/run/* root/dev/*
