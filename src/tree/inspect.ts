import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { statWithin } from './within.ts';

/** What a directory needs to be a guest: each with the places where it may be, of which one has to exist. */
const NEEDED: readonly (readonly [what: string, places: readonly string[]])[] = [
  ['an os-release file', ['usr/lib/os-release', 'etc/os-release', 'usr/etc/os-release']],
  ['a shell', ['usr/bin/sh', 'usr/bin/bash', 'bin/sh']],
  ['systemd', ['usr/lib/systemd/systemd', 'lib/systemd/systemd']],
];

/**
 * Refuses what cannot boot as a guest here.
 * @param label what the user called it
 * @param architecture process.arch of the host
 */
export async function requireBootable(root: string, label: string, architecture: string): Promise<void> {
  for (const [what, places] of NEEDED) {
    const found = await Promise.all(places.map((place) => statWithin(root, place)));
    if (found.some((entry) => entry !== undefined)) continue;
    throw new Failure('invalid', `${label} is no bootable operating system: ${what} is missing in it`, {
      hint: `Looked for ${places.join(', ')}. Install systemd in it, or give the directory that holds usr and etc.`,
    });
  }
  for (const program of ['usr/lib/systemd/systemd', 'lib/systemd/systemd']) {
    if ((await statWithin(root, program))?.isFile() !== true) continue;
    requireArchitecture(await firstBytes(`${root}/${program}`), label, architecture);
  }
}

/** e_machine of elf(5) by process.arch; the first is what Node runs on, the others run beside it. */
const MACHINES: Readonly<Record<string, readonly number[]>> = {
  x64: [62, 3],
  ia32: [3],
  arm64: [183, 40],
  arm: [40],
  ppc64: [21],
  s390x: [22],
  riscv64: [243],
  loong64: [258],
};

const NAMES: Readonly<Record<number, string>> = {
  3: 'i386',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
  258: 'loongarch',
};

/** @throws Failure `unsupported` for a program of another architecture, `invalid` for what is no program at all */
export function requireArchitecture(header: Buffer, label: string, architecture: string): void {
  const machine = parseElfMachine(header);
  if (machine === undefined) {
    throw new Failure('invalid', `${label} is no bootable operating system: its systemd is no ELF program`, {
      hint: 'Give a complete operating system tree.',
    });
  }
  const runnable = MACHINES[architecture];
  if (runnable === undefined || runnable.includes(machine)) return;
  throw new Failure(
    'unsupported',
    `${label} is for ${NAMES[machine] ?? `ELF machine ${machine}`}, this host is ${NAMES[runnable[0] ?? 0] ?? architecture}`,
    { hint: 'Choose a tree of the host’s own architecture.' },
  );
}

/** e_machine of an ELF header (elf(5)): two bytes at offset 18, in the byte order that byte 5 names. */
export function parseElfMachine(header: Buffer): number | undefined {
  if (header.length < 20 || header.toString('latin1', 0, 4) !== '\u007fELF') return undefined;
  return header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
