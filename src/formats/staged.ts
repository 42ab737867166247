import { Failure } from '../model/failure.ts';
import { isCommit, quoted, type Commit } from '../model/names.ts';
import { decode, encode, unwrap, wrap, type Variant } from './gvariant.ts';

/**
 * `/run/ostree/staged-deployment`: the deployment that ostree finishes at shutdown, one for the whole host. Written by
 * ostree_sysroot_stage_tree_with_options() of src/libostree/ostree-sysroot-deploy.c, read by
 * _ostree_sysroot_reload_staged() of ostree-sysroot.c; ostree has no man page for it. The file is one `a{sv}`.
 */

/** Which directory a deployment is: `ostree/deploy/STATEROOT/deploy/COMMIT.SERIAL`. */
export interface DeploymentName {
  stateroot: string;
  commit: Commit;
  serial: number;
  /** Checksum of kernel and initramfs: `/boot/ostree/STATEROOT-CHECKSUM`. */
  bootChecksum: string;
}

export interface StagedDeployment {
  target: DeploymentName;
  /** Whose /etc is merged into the new one; none for the first deployment and with `--no-merge`. */
  mergeDeployment?: DeploymentName;
  /** Kernel arguments, if they are not those of the merge deployment. rpm-ostree always gives them. */
  kargs?: string[];
  /** Whether finishing waits for `ostree admin lock-finalization --unlock`; the key exists since ostree 2023.8. */
  locked: boolean;
  overlayInitrds?: string[];
  /** Further keys of the boot entry, since ostree 2026.1. */
  bootconfigExtra?: ReadonlyMap<string, string>;
  /** Keys of later versions, as they stand in the file. ostree ignores what it does not know. */
  unknown: ReadonlyMap<string, Variant>;
}

const KNOWN = ['target', 'locked', 'merge-deployment', 'kargs', 'overlay-initrds', 'bootconfig-extra'];

/** `label` is the file's name, for errors. Anything but a whole, undamaged file is a Failure `invalid`. */
export function parseStagedDeployment(bytes: Uint8Array, label: string): StagedDeployment {
  const map = decode('a{sv}', bytes, label);
  const target = map.get('target');
  if (target === undefined) throw refusal(`${label}: it does not say which deployment is staged`);
  const merge = map.get('merge-deployment');
  const kargs = map.get('kargs');
  const locked = map.get('locked');
  const initrds = map.get('overlay-initrds');
  const extra = map.get('bootconfig-extra');
  return {
    target: parseName(target, `${label}, target`),
    ...(merge && { mergeDeployment: parseName(merge, `${label}, merge-deployment`) }),
    ...(kargs && { kargs: [...unwrap('as', kargs, `${label}, kargs`)] }),
    locked: locked !== undefined && unwrap('b', locked, `${label}, locked`),
    ...(initrds && { overlayInitrds: [...unwrap('as', initrds, `${label}, overlay-initrds`)] }),
    ...(extra && { bootconfigExtra: unwrap('a{ss}', extra, `${label}, bootconfig-extra`) }),
    // Copied, so that they do not change with the caller's bytes.
    unknown: new Map(
      [...map]
        .filter(([key]) => !KNOWN.includes(key))
        .map(([key, { type, data }]) => [key, { type, data: Uint8Array.from(data) }]),
    ),
  };
}

/** The file as ostree writes it, keys in its order; the unknown ones come last. */
export function renderStagedDeployment(staged: StagedDeployment): Uint8Array {
  const map = new Map<string, Variant>([['target', renderName(staged.target)]]);
  if (staged.locked) map.set('locked', wrap('b', true));
  if (staged.mergeDeployment) map.set('merge-deployment', renderName(staged.mergeDeployment));
  if (staged.kargs) map.set('kargs', wrap('as', staged.kargs));
  if (staged.overlayInitrds) map.set('overlay-initrds', wrap('as', staged.overlayInitrds));
  if (staged.bootconfigExtra) map.set('bootconfig-extra', wrap('a{ss}', staged.bootconfigExtra));
  for (const [key, value] of staged.unknown) {
    if (KNOWN.includes(key)) throw refusal(`${quoted(key)} is not an unknown key`);
    map.set(key, value);
  }
  return encode('a{sv}', map);
}

/** ostree writes these three keys (2020.8 to 2026.4) and reads no other. */
function parseName(variant: Variant, label: string): DeploymentName {
  const map = unwrap('a{sv}', variant, label);
  const text = (key: string): string => {
    const value = map.get(key);
    if (value === undefined) throw refusal(`${label}: ${key} is missing`);
    return unwrap('s', value, `${label}, ${key}`);
  };
  const name = text('name');
  const [, commit = '', serial = ''] = /^([0-9a-f]{64})\.([0-9]+)$/.exec(name) ?? [];
  // libostree keeps the serial in an int and would truncate a larger one.
  if (!isCommit(commit) || Number(serial) > 0x7fff_ffff) {
    throw refusal(`${label}: ${quoted(name)} is not the name of a deployment`);
  }
  const stateroot = text('osname');
  if (/[/\p{Cc}]/u.test(stateroot) || ['', '.', '..'].includes(stateroot)) {
    throw refusal(`${label}: ${quoted(stateroot)} is not the name of a stateroot`);
  }
  const bootChecksum = text('bootcsum');
  if (!/^[0-9a-f]{64}$/.test(bootChecksum)) {
    throw refusal(`${label}: ${quoted(bootChecksum)} is not the checksum of a kernel`);
  }
  return { stateroot, commit, serial: Number(serial), bootChecksum };
}

function renderName({ stateroot, commit, serial, bootChecksum }: DeploymentName): Variant {
  return wrap(
    'a{sv}',
    new Map([
      ['name', wrap('s', `${commit}.${serial}`)],
      ['osname', wrap('s', stateroot)],
      ['bootcsum', wrap('s', bootChecksum)],
    ]),
  );
}

function refusal(message: string): Failure {
  return new Failure('invalid', message, { hint: 'See what is staged with: ostree admin status' });
}
