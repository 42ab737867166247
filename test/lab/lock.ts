import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes an exclusive lock on a file, waiting for it; the lock dies with this process.
 *
 * A child holds it, because Node has no flock(2): `flock --no-fork` locks, then becomes a shell that answers and a cat that
 * lives as long as our end of its standard input.
 */
export async function hold(file: string, wait = true): Promise<Lock> {
  const mode = wait ? [] : ['--nonblock'];
  const child = spawn('flock', ['--no-fork', ...mode, file, 'sh', '-c', 'echo ok; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const first = await Promise.race([
    once(child.stdout, 'data').then(() => 'locked'),
    exited.then(() => 'refused'),
  ]);
  if (first === 'refused') throw new Error(`${file} is locked by another process`);
  child.unref(); // a lock that is never released must not keep this process alive
  return {
    release: async () => {
      child.ref();
      child.stdin.end();
      await exited;
    },
  };
}
