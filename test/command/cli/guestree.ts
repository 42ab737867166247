import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Guestree {
  /** The state directory; it does not exist until something makes it. */
  state: string;
  /** As root, in a mount namespace of its own with an empty /run. */
  run: (args: readonly string[], options?: { state?: string; before?: string }) => Promise<Ended>;
  /** As a user without any privilege. */
  runUnprivileged: (args: readonly string[]) => Promise<Ended>;
  /** The program's file. */
  program: string;
}

/** Builds the program with the project's own script, away from dist/, where other tests may be reading it. */
export function buildGuestree(): Guestree {
  const directory = mkdtempSync(join(tmpdir(), 'guestree-cli-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  for (const name of ['src', 'units', 'node_modules']) symlinkSync(join(ROOT, name), join(directory, name));
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  const built = spawnSync(process.execPath, [join(ROOT, 'build.mjs')], { cwd: directory, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`build.mjs failed: ${built.stderr}`);
  const program = join(directory, 'dist/guestree.js');
  const state = join(directory, 'state');
  mkdirSync(join(directory, 'mount'));

  const root = process.geteuid?.() === 0;
  const environment = (override = state): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    GUESTREE_STATE: override,
  });
  return {
    state,
    program,
    run: (args, options = {}) => {
      const script = `mount -t tmpfs tmpfs /run && ${options.before ?? 'true'} && exec "$@"`;
      const namespace = ['--mount', ...(root ? [] : ['--map-root-user'])];
      const argv = [...namespace, 'sh', '-c', script, 'sh', process.execPath, program, ...args];
      return end('unshare', argv, environment(options.state));
    },
    runUnprivileged: (args) =>
      root
        ? end(
            'setpriv',
            ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, ...args],
            environment(),
          )
        : end(process.execPath, [program, ...args], environment()),
  };
}

function end(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, encoding: 'utf8' }, (_error, stdout, stderr) => {
      if (child.exitCode === null) reject(new Error(`ended by ${child.signalCode ?? 'nothing'}: ${stderr}`));
      else resolve({ exitCode: child.exitCode, stdout, stderr });
    });
    child.stdin?.end();
  });
}
