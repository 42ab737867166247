import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { command } from './command.ts';
import { hostRef, type HostImage } from './image.ts';

/** The stateroot of the lab host. */
export const stateroot = 'labhost';

/** One boot loader entry (BLS) and the deployment that it would boot. */
export interface BootEntry {
  title: string;
  version: number;
  deployment: string;
}

/** A sysroot of the lab's own with version 1 deployed; objects are hardlinks into the cached repository. */
export async function makeSysroot(
  sysroot: string,
  image: HostImage,
  suite: string,
  readOnly: boolean,
): Promise<void> {
  await mkdir(sysroot);
  // `init-fs` without --modern makes the top-level directories of a real root, too (boot, dev, home, …).
  await command(['ostree', 'admin', 'init-fs', sysroot]);
  const repo = path.join(sysroot, 'ostree/repo');
  await command(['ostree', `--repo=${repo}`, 'config', 'set', 'sysroot.bootloader', 'none']);
  if (readOnly) await command(['ostree', `--repo=${repo}`, 'config', 'set', 'sysroot.readonly', 'true']);
  await command(['ostree', 'admin', `--sysroot=${sysroot}`, 'os-init', stateroot]);
  await command(['ostree', `--repo=${repo}`, 'pull-local', '--disable-fsync', image.repo]);
  await command(
    ['ostree', 'admin', `--sysroot=${sysroot}`, 'deploy', `--os=${stateroot}`, hostRef(suite, 1)],
    {
      env: { OSTREE_SYSROOT_OPTS: 'skip-sync' },
    },
  );
  const [entry] = await bootEntries(sysroot);
  if (entry === undefined) throw new Error(`no boot entry after a deploy to ${sysroot}`);
  await writeMachineId(entry.deployment);
}

/** A copy of the plain Debian root. */
export async function makePlainRoot(root: string, image: HostImage): Promise<void> {
  await command(['cp', '-a', '--reflink=auto', image.plain, root]);
  await writeMachineId(root);
}

/**
 * The boot menu, default entry first: the fragment with the highest `version` (what `none` of ostree's boot loader
 * back ends leaves to the boot loader, the Boot Loader Specification), and its ostree= argument followed to the
 * deployment as ostree-prepare-root does.
 */
export async function bootEntries(sysroot: string): Promise<BootEntry[]> {
  const directory = path.join(sysroot, 'boot/loader/entries');
  const names = await readdir(directory);
  const entries = await Promise.all(
    names.map(async (name): Promise<BootEntry> => {
      const text = await readFile(path.join(directory, name), 'utf8');
      const target = /^options .*\bostree=(\S+)/m.exec(text)?.[1];
      if (target === undefined) throw new Error(`${name} has no ostree= argument:\n${text}`);
      return {
        title: /^title (.*)$/m.exec(text)?.[1] ?? name,
        version: Number(/^version (.*)$/m.exec(text)?.[1]),
        deployment: await realpath(path.join(sysroot, target)),
      };
    }),
  );
  return entries.sort((a, b) => b.version - a.version);
}

/** What an installer does; an empty machine-id would make every lab a first boot, with presets applied. */
async function writeMachineId(root: string): Promise<void> {
  await writeFile(path.join(root, 'etc/machine-id'), `${randomUUID().replaceAll('-', '')}\n`);
}
