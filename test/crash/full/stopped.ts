import path from 'node:path';
import type { Lab } from '../../lab/lab.ts';

const SCRIPTS = '/run/full-scripts';

export interface Ended {
  exitCode: number;
  stderr: string;
}

/** A guestree command that waits before one of its steps. */
export interface Stopped {
  /** Process id in the lab, of the process in the mount namespace. */
  pid: string;
  /** Lets it go on and waits for its end. */
  resume(): Promise<Ended>;
}

export async function bringScripts(lab: Lab): Promise<void> {
  for (const name of ['hold.sh', 'resume.sh', 'fill.sh'])
    await lab.copyIn(path.join(import.meta.dirname, name), `${SCRIPTS}/${name}`);
}

/** Runs guestree until it is about to begin a step. */
export async function stopBefore(lab: Lab, step: number, args: readonly string[]): Promise<Stopped> {
  const unit = `crash-cut-${Date.now()}`;
  const { stdout } = await lab.run(['sh', `${SCRIPTS}/hold.sh`, unit, `stop:${step}`, 'guestree', ...args], {
    timeout: 300_000,
  });
  const pid = stdout.trim();
  const stderr = async (): Promise<string> => lab.readFile('/run/full/err');
  if (pid === 'ended') throw new Error(`it ended before step ${step}:\n${await stderr()}`);
  return {
    pid,
    resume: async () => {
      const ended = await lab.run(['sh', `${SCRIPTS}/resume.sh`, unit, pid], { timeout: 300_000 });
      return { exitCode: Number(ended.stdout.trim()), stderr: await stderr() };
    },
  };
}

/** Takes all space of a file system. */
export async function fillUp(lab: Lab, directory: string): Promise<void> {
  await lab.run(['sh', `${SCRIPTS}/fill.sh`, directory]);
}

export async function makeSpace(lab: Lab, directory: string): Promise<void> {
  await lab.run(['rm', '-f', `${directory}/filler`]);
}
