import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acquireLock } from '../../../src/system/lock.ts';
import { temporaryDirectory } from '../../unit/directory.ts';
import { failureOfLater } from '../../unit/failures.ts';

const SOURCE = new URL('../../../src/system/lock.ts', import.meta.url).href;

/** Another process, in a group of its own as a shell starts it, that holds the lock and takes no notice of Ctrl-C. */
async function holder(path: string): Promise<ChildProcess> {
  const script = `
    process.on('SIGINT', () => undefined);
    const { acquireLock } = await import(${JSON.stringify(SOURCE)});
    await acquireLock(${JSON.stringify(path)}, 'x');
    console.log('held');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

describe('a lock', () => {
  test('keeps others out until it is released, and says what to do', async () => {
    const path = join(await temporaryDirectory(), 'locks/mail');
    const release = await acquireLock(path, 'the guest "mail"');
    const failure = await failureOfLater(acquireLock(path, 'the guest "mail"'));
    expect(failure).toMatchObject({ reason: 'locked', exitCode: 6 });
    expect(failure.message).toBe('another guestree command is working on the guest "mail"');
    expect(failure.hint).toContain('run this command again');
    await release();
    await (
      await acquireLock(path, 'x')
    )();
  });

  test('on one guest does not concern another', async () => {
    const directory = await temporaryDirectory();
    const first = await acquireLock(join(directory, 'mail'), 'x');
    const second = await acquireLock(join(directory, 'web'), 'x');
    await Promise.all([first(), second()]);
  });

  test('can be waited for', async () => {
    const path = join(await temporaryDirectory(), 'base');
    const release = await acquireLock(path, 'x');
    let got = false;
    const waiting = acquireLock(path, 'x', true).then((done) => {
      got = true;
      return done;
    });
    await sleep(200);
    expect(got).toBe(false);
    await release();
    await (
      await waiting
    )();
    expect(got).toBe(true);
  });

  test('dies with its holder, also by SIGKILL', async () => {
    const path = join(await temporaryDirectory(), 'mail');
    const child = await holder(path);
    expect((await failureOfLater(acquireLock(path, 'x'))).reason).toBe('locked');
    child.kill('SIGKILL');
    await once(child, 'close');
    await expect.poll(async () => await tryLock(path)).toBe(true);
  });

  test('stays while its holder goes on after Ctrl-C, which a terminal sends to the whole group', async () => {
    const path = join(await temporaryDirectory(), 'mail');
    const child = await holder(path);
    process.kill(-(child.pid ?? Number.NaN), 'SIGINT');
    await sleep(500);
    expect(child.exitCode).toBeNull();
    expect((await failureOfLater(acquireLock(path, 'x'))).reason).toBe('locked');
  });

  test('that cannot be taken for another reason is no "locked"', async () => {
    const path = join(await temporaryDirectory(), 'mail');
    await symlink('/nonexistent/lock', path);
    const failure = await failureOfLater(acquireLock(path, 'x'));
    expect(failure.reason).toBe('failed');
    expect(failure.message).toContain(path);
  });
});

async function tryLock(path: string): Promise<boolean> {
  try {
    await (
      await acquireLock(path, 'x')
    )();
    return true;
  } catch {
    return false;
  }
}
