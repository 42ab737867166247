/** Origin files as ostree and rpm-ostree leave them behind, one of each kind. */

const SHA256 = 'c0ffee00'.repeat(8);

export const PLAIN = `[origin]
refspec=fedora:fedora/42/x86_64/silverblue
`;

export const LAYERED = `[origin]
baserefspec=fedora:fedora/42/x86_64/silverblue
override-commit=${'0123456789abcdef'.repeat(4)}
custom-url=https://example.org/os
custom-description=Spring edition

[packages]
requested=htop;zsh;
requested-local=${SHA256}:tree-2:2.1.0-7.fc42.x86_64;
requested-local-fileoverride=${SHA256}:motd-1-1.noarch;

[overrides]
remove=nano;
replace-local=${SHA256}:less-1:661-1.fc42.x86_64;
replace=repo=updates-testing,bash;repo=copr,kernel,kernel-core;

[rpmostree]
regenerate-initramfs=true
initramfs-args=--add;network;
initramfs-etc=/etc/crypttab;/etc/vconsole.conf;
`;

export const CONTAINER = `[origin]
container-image-reference=ostree-image-signed:docker://quay.io/fedora/fedora-silverblue:42
`;

/** What an administrator may have done to it by hand. */
export const EDITED = `# made by hand

[origin]
# the ref that we follow
refspec = local/debian/x86_64
unconfigured-state=Register first; see\\s\\\\etc\\\\motd

[libostree-transient]
pinned=true

[elsewhere]
key=a\\;b;c;
key[de]=ä

[origin]
unlocked=hotfix
`;

export const ORIGINS = [PLAIN, LAYERED, CONTAINER, EDITED];
