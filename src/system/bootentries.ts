import { readdir, readFile, readlink } from 'node:fs/promises';
import { isErrno } from './files.ts';

/** The deployment that a boot loader entry boots. */
export interface BootTarget {
  stateroot: string;
  /** `CSUM.SERIAL` */
  id: string;
}

export interface BootEntry {
  path: string;
  text: string;
  version: number;
  /** Undefined for an entry that is not of ostree, or whose link leads nowhere. */
  target: BootTarget | undefined;
}

/**
 * The boot loader entries of a sysroot, the default first: the order is the descending one of `version`
 * (ostree-sysroot.c, compare_loader_configs_for_sorting()). An entry names its deployment by the kernel argument
 * `ostree=/ostree/boot.N/STATEROOT/BOOTCSUM/I`, a symlink to the deployment's directory (ostree-sysroot-deploy.c,
 * install_deployment_kernel()).
 */
export async function readBootEntries(boot: string, sysroot: string): Promise<BootEntry[]> {
  const directory = `${boot}/loader/entries`;
  const entries = (await names(directory)).map(async (name): Promise<BootEntry> => {
    const path = `${directory}/${name}`;
    const text = await readFile(path, 'utf8');
    const version = Number(/^version ([0-9]+)$/m.exec(text)?.[1] ?? 0);
    const link = /^options .*\bostree=(\/ostree\/\S+)/m.exec(text)?.[1];
    return { path, text, version, target: link === undefined ? undefined : await follow(sysroot + link) };
  });
  return (await Promise.all(entries)).sort((a, b) => b.version - a.version || (a.path < b.path ? -1 : 1));
}

async function follow(link: string): Promise<BootTarget | undefined> {
  try {
    // …/ostree/deploy/STATEROOT/deploy/CSUM.SERIAL
    const [, stateroot, id] = /([^/]+)\/deploy\/([^/]+)\/?$/.exec(await readlink(link)) ?? [];
    return stateroot === undefined || id === undefined ? undefined : { stateroot, id };
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EINVAL') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.conf'));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}
