import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renderStagedDeployment, type StagedDeployment } from '../../../src/formats/staged.ts';
import type { HostPlaces } from '../../../src/guard/host.ts';
import { parseCommit } from '../../../src/model/names.ts';
import { temporaryDirectory } from '../directory.ts';

export const commit = (digit: string): ReturnType<typeof parseCommit> => parseCommit(digit.repeat(64));
/** Directory name of a deployment. */
export const id = (digit: string): string => `${commit(digit)}.0`;

/** A directory that looks like an ostree-booted host: what `/`, /boot, /run/ostree and /sysroot hold there. */
export interface FakeHost extends HostPlaces {
  put(path: string, text: string | Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  deployment(stateroot: string, digit: string, origin?: string): Promise<void>;
  /** A boot loader entry; the highest version is the default. */
  entry(version: number, stateroot: string, digit: string): Promise<void>;
  stage(stateroot: string, digit: string, more?: Partial<StagedDeployment>): Promise<void>;
  ref(name: string, digit: string): Promise<void>;
}

/** Fedora, booted from commit 1, with an older deployment 0 in its boot menu. */
export async function fakeHost(): Promise<FakeHost> {
  const root = await temporaryDirectory();
  const put = async (path: string, text: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const directory = (stateroot: string, digit: string): string =>
    `sysroot/ostree/deploy/${stateroot}/deploy/${id(digit)}`;
  const host: FakeHost = {
    boot: join(root, 'boot'),
    run: join(root, 'run/ostree'),
    sysroot: join(root, 'sysroot'),
    root: join(root, directory('fedora', '1')),
    booted: join(root, 'run/ostree-booted'),
    put,
    remove: (path) => rm(join(root, path), { recursive: true }),
    deployment: async (stateroot, digit, origin = '[origin]\nrefspec=fedora:stable\n') => {
      await put(`${directory(stateroot, digit)}/usr/x`, '');
      await put(`${directory(stateroot, digit)}.origin`, origin);
    },
    entry: async (version, stateroot, digit) => {
      const link = `ostree/boot.1/${stateroot}/${digit}/0`;
      const text = `title ${stateroot}\nversion ${version}\noptions root=/dev/vda ostree=/${link}\n`;
      await put(`boot/loader.1/entries/ostree-${version}-${stateroot}.conf`, text);
      await mkdir(dirname(join(root, 'sysroot', link)), { recursive: true });
      await symlink(`../../../deploy/${stateroot}/deploy/${id(digit)}`, join(root, 'sysroot', link));
    },
    stage: async (stateroot, digit, more = {}) => {
      const staged: StagedDeployment = {
        target: { stateroot, commit: commit(digit), serial: 0, bootChecksum: commit('f') },
        mergeDeployment: { stateroot: 'fedora', commit: commit('1'), serial: 0, bootChecksum: commit('f') },
        locked: false,
        unknown: new Map(),
        ...more,
      };
      await put('run/ostree/staged-deployment', renderStagedDeployment(staged));
    },
    ref: (name, digit) => put(`sysroot/ostree/repo/refs/${name}`, `${commit(digit)}\n`),
  };
  await host.deployment('fedora', '1');
  await host.deployment('fedora', '0');
  await host.entry(2, 'fedora', '1');
  await host.entry(1, 'fedora', '0');
  await symlink('loader.1', join(root, 'boot/loader'));
  await put('boot/ostree/fedora-f/vmlinuz', 'kernel');
  await put('run/ostree-booted', '');
  await host.ref('heads/ostree/1/1/0', '1');
  await host.ref('remotes/fedora/stable', '1');
  return host;
}
