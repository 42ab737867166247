import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { command, type CommandOptions, type Output } from './command.ts';

/** Runs a program where the files are seen as the box sees them. */
export type Visit = (argv: readonly string[], options?: CommandOptions) => Promise<Output>;

/** Copies a file (keeping its mode) or a directory with its content from the machine into the box; parents are made. */
export async function copyIn(visit: Visit, source: string, target: string): Promise<void> {
  const found = await stat(source);
  if (!found.isDirectory()) {
    await put(visit, target, await readFile(source), found.mode);
    return;
  }
  await visit(['mkdir', '-p', target]);
  const packed = await execa('tar', ['--create', '--directory', source, '.'], { encoding: 'buffer' });
  await visit(['tar', '--extract', '--no-same-owner', '--directory', target], { input: packed.stdout });
}

/** Writes a file of the box; parents are made. */
export async function put(
  visit: Visit,
  target: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  // Standard input from Node is a socket, and /dev/stdin of a socket cannot be opened; a cat can read it.
  const script = 'mkdir -p "$(dirname "$1")" && rm -f "$1" && cat >"$1" && chmod "$2" "$1"';
  await visit(['sh', '-c', script, 'put', target, (mode & 0o7777).toString(8)], { input: content });
}

/** The bytes of a file or of a tar of a directory, base64 on the way because command output is text. */
export async function copyOut(visit: Visit, source: string, target: string): Promise<void> {
  const directory = (await visit(['test', '-d', source], { check: false })).exitCode === 0;
  if (!directory) {
    const { stdout } = await visit(['base64', '--wrap=0', source]);
    await writeFile(target, Buffer.from(stdout, 'base64'));
    return;
  }
  const packed = path.join('/tmp', `.copy-out-${process.pid}-${Date.now()}`);
  await visit(['tar', '--create', '--file', packed, '--directory', source, '.']);
  try {
    const { stdout } = await visit(['base64', '--wrap=0', packed]);
    await command(['mkdir', '-p', target]);
    await command(['tar', '--extract', '--directory', target], { input: Buffer.from(stdout, 'base64') });
  } finally {
    await visit(['rm', '-f', packed]);
  }
}
