import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { makeDirectories } from './files.ts';
import { Failure } from '../model/failure.ts';
import { cleanEnvironment } from './run.ts';

/** Whether somebody holds a lock now. */
export async function isLocked(path: string): Promise<boolean> {
  try {
    await (
      await acquireLock(path, 'it')
    )();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'locked') return true;
    throw error;
  }
}

/**
 * A lock that dies with us, however we die: a child holds it with flock(1) and ends when its standard input, a pipe
 * from us, is closed. Node has no flock(2) of its own. `wait` waits for the other instead of failing; `shared` lets
 * others in that share it too, and keeps those out that want it for themselves.
 */
export async function acquireLock(
  path: string,
  what: string,
  wait = false,
  shared = false,
): Promise<() => Promise<void>> {
  await makeDirectories(dirname(path));
  const child = spawn(
    'flock',
    [
      ...(wait ? [] : ['--nonblock']),
      ...(shared ? ['--shared'] : []),
      '--conflict-exit-code',
      '75',
      '--no-fork',
      path,
      'sh',
      '-c',
      'echo ok; exec cat',
    ],
    // In a session of its own: Ctrl-C is sent to the terminal's whole foreground group and must not end the lock
    // while we still finish or undo a step.
    { stdio: ['pipe', 'pipe', 'ignore'], env: cleanEnvironment({}), detached: true },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', () =>
      reject(
        new Failure('missing-program', 'the program "flock" is not installed', {
          hint: 'Install it, for example with: apt-get install util-linux',
        }),
      ),
    );
    child.stdout.once('data', () => resolve());
    child.once('close', (code) =>
      reject(
        code === 75
          ? new Failure('locked', `another guestree command is working on ${what}`, {
              hint: 'Wait until it has ended, then run this command again.',
            })
          : new Failure('failed', `the lock ${path} could not be taken (flock exit code ${code ?? 'none'})`),
      ),
    );
  });
  child.unref();
  return async () => {
    // Waited for again, or the event loop could run empty before the child has ended.
    child.ref();
    child.stdin.end();
    await ended;
  };
}
