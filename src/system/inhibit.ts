import { spawn } from 'node:child_process';
import { cleanEnvironment } from './run.ts';

/**
 * Blocks shutdown and sleep until it is released, or until we die, however we die: systemd-inhibit(1) holds the lock for
 * as long as its child runs, which reads a pipe from us. Where there is no logind the lock cannot be had.
 * @returns how to release it, or undefined if it cannot be had
 */
export async function inhibitShutdown(why: string): Promise<(() => Promise<void>) | undefined> {
  const child = spawn(
    'systemd-inhibit',
    [
      '--what=shutdown:sleep',
      '--mode=block',
      '--who=guestree',
      `--why=${why}`,
      'sh',
      '-c',
      'echo ok; exec cat',
    ],
    { stdio: ['pipe', 'pipe', 'ignore'], env: cleanEnvironment({}), detached: true },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const held = await Promise.race([
    new Promise<boolean>((resolve) => child.stdout.once('data', () => resolve(true))),
    ended.then(() => false),
  ]);
  if (!held) return undefined;
  child.unref();
  return async () => {
    child.ref();
    child.stdin.end();
    await ended;
  };
}
