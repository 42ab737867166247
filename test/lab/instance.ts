import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bind } from './box.ts';
import { command } from './command.ts';
import { mountFresh, type Holder } from './holder.ts';
import type { HostImage } from './image.ts';
import { bootEntries, makePlainRoot, makeSysroot, stateroot } from './sysroot.ts';

/** What distinguishes one kind of host from another. */
export interface HostKind {
  suite: string;
  ostree: boolean;
  sysrootReadOnly: boolean;
  /** MiB of a file system of its own for /var. */
  separateVar: number | undefined;
}

/** The disk of one lab, and how each boot mounts it. */
export interface Instance {
  /** Path on the machine of /sysroot; undefined for a plain host. */
  sysroot: string | undefined;
  /** Path of /var: on the machine, or in the holder's mount namespace if it is a file system of its own. */
  varDirectory: string;
  /** The root directory that a line of the boot menu starts, and what is mounted below it. */
  chosen(entry: number): Promise<{ root: string; binds: Bind[] }>;
}

export async function makeInstance(
  directory: string,
  holder: Holder,
  image: HostImage,
  kind: HostKind,
): Promise<Instance> {
  const at = (file: string): string => path.join(directory, file);
  const separate = at('var');
  if (kind.separateVar !== undefined) await mountFresh(holder, at('var.img'), separate, kind.separateVar);
  const node: Bind = { source: process.execPath, target: '/usr/bin/node', readOnly: true };

  if (!kind.ostree) {
    const root = at('root');
    await makePlainRoot(root, image);
    const ownVar = path.join(root, 'var');
    if (kind.separateVar === undefined) {
      return {
        sysroot: undefined,
        varDirectory: ownVar,
        chosen: () => Promise.resolve({ root, binds: [node] }),
      };
    }
    await command(holder.enter(['cp', '-a', `${ownVar}/.`, separate]));
    const binds = [node, { source: separate, target: '/var' }];
    return { sysroot: undefined, varDirectory: separate, chosen: () => Promise.resolve({ root, binds }) };
  }

  const sysroot = at('sysroot');
  await makeSysroot(sysroot, image, kind.suite, kind.sysrootReadOnly);
  await writeFile(at('booted'), '');
  const ownVar = path.join(sysroot, 'ostree/deploy', stateroot, 'var');
  const varDirectory = kind.separateVar === undefined ? ownVar : separate;
  return {
    sysroot,
    varDirectory,
    chosen: async (line) => {
      const entry = (await bootEntries(sysroot))[line];
      if (entry === undefined) throw new Error(`the boot menu below ${sysroot} has no entry ${line}`);
      const root = entry.deployment;
      const etc: Bind = { source: path.join(root, 'etc'), target: '/etc' };
      return {
        root,
        // The mounts that ostree-prepare-root makes, and the file by which ostree knows that it did.
        binds: [
          { source: sysroot, target: '/sysroot', readOnly: kind.sysrootReadOnly },
          { source: path.join(sysroot, 'boot'), target: '/boot' },
          ...(kind.sysrootReadOnly ? [etc] : []),
          { source: path.join(root, 'usr'), target: '/usr', readOnly: true },
          { source: varDirectory, target: '/var' },
          { source: at('booted'), target: '/run/ostree-booted', readOnly: true },
          node,
        ],
      };
    },
  };
}
