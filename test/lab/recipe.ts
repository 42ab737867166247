import type { Lab } from './lab.ts';

/** A guest in a stateroot of the host's own sysroot, as people keep one by hand. Tests adopt it. */
const DEPLOY = '/sysroot/ostree/deploy';

/**
 * Brings a tree of the pool into the host's repository under a ref. With `below` it is committed as rpm-ostree does it:
 * its parent is the commit without the layers, and its metadata says so (rpmostree-core.cxx).
 */
export async function publishTree(
  lab: Lab,
  pool: string,
  tree: string,
  ref: string,
  below?: string,
): Promise<void> {
  await lab.run(['ostree', 'pull-local', '--repo=/ostree/repo', pool, tree]);
  await lab.run([
    ...['ostree', 'commit', '--repo=/ostree/repo', `--branch=${ref}`, `--tree=ref=${tree}`, '--no-bindings'],
    ...(below === undefined
      ? ['--parent=none']
      : [`--parent=${below}`, '--add-metadata=rpmostree.clientlayer=true']),
  ]);
}

/** `ostree admin deploy` of a ref in a stateroot, beside what the host boots; gives the deployment's directory. */
export async function deployByHand(
  lab: Lab,
  stateroot: string,
  ref: string,
  how: readonly string[] = ['--not-as-default', '--retain'],
): Promise<string> {
  await lab.run(['sh', '-c', `test -d ${DEPLOY}/${stateroot} || ostree admin os-init ${stateroot}`]);
  await lab.run(['ostree', 'admin', 'deploy', ...how, `--os=${stateroot}`, ref]);
  const newest = `ls -dt --time=birth ${DEPLOY}/${stateroot}/deploy/*.[0-9] | head -1`;
  return (await lab.run(['sh', '-c', newest])).stdout.trim();
}

/**
 * Everything below a stateroot: names, owners, modes, times, content, extended attributes; of /etc and /var also when an
 * inode last changed. A file of a tree gets one more link when the pool takes its object, so its inode does change.
 */
export async function fingerprintOf(lab: Lab, stateroot: string): Promise<string> {
  const archive = 'tar --create --sort=name --format=posix --xattrs --acls --xattrs-include="*"';
  const script = [
    `cd ${DEPLOY}/${stateroot}`,
    "find var deploy/*/etc deploy/*.origin -printf '%p %y %m %U:%G %s %T@ %C@ %l\\n' | sort",
    `${archive} --pax-option=delete=atime,delete=ctime . | sha256sum`,
  ].join(' && ');
  return (await lab.run(['sh', '-c', script])).stdout;
}

/** Gives a file an extended attribute without a program for it: a tar archive can carry one (tar(1), --pax-option). */
export async function setAttribute(lab: Lab, file: string, name: string, value: string): Promise<void> {
  const script =
    'cd "$(dirname "$1")" && tar --create --format=posix --pax-option="SCHILY.xattr.$2:=$3" "$(basename "$1")" | tar --extract --xattrs --xattrs-include="*"';
  await lab.run(['sh', '-c', script, 'set', file, name, value]);
}

export async function attributesOf(lab: Lab, file: string): Promise<string[]> {
  const script =
    'tar --create --format=posix --xattrs --xattrs-include="*" --absolute-names "$1" | grep --text --only-matching "SCHILY.xattr.user[^[:cntrl:]]*"';
  return (await lab.run(['sh', '-c', script, 'get', file])).stdout.trim().split('\n');
}
