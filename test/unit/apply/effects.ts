import type { Effects } from '../../../src/apply/effects.ts';
import { HOST_PLACES } from '../../../src/guard/host.ts';
import { GuardWindow } from '../../../src/guard/window.ts';
import type { Layering } from '../../../src/apply/layering.ts';
import { hostPaths } from '../../../src/model/paths.ts';
import { Repo } from '../../../src/system/ostree.ts';
import type { Runner } from '../../../src/system/run.ts';
import { Systemd } from '../../../src/system/systemd.ts';

const runner: Runner = {
  run: (program) => Promise.reject(new Error(`${program} was called, but this ring starts no programs`)),
};

/** Effects on a directory. Files are real; steps that call a program do not belong into this ring. */
export function effectsIn(directory: string, changes: Partial<Effects> = {}): Effects {
  const paths = { ...hostPaths(`${directory}/state`), definitions: `${directory}/etc` };
  return {
    paths,
    runner,
    systemd: new Systemd(runner),
    pool: new Repo(runner, `${paths.state}/pool`),
    layering: {} as Layering,
    window: new GuardWindow({
      runner,
      places: HOST_PLACES,
      directory: `${paths.state}/guard`,
      bootId: 'this boot',
      now: () => new Date('2025-01-02T03:04:05.000Z'),
      settle: () => Promise.resolve(),
      requireReady: () => Promise.resolve(),
    }),
    now: () => new Date('2025-01-02T03:04:05.000Z'),
    program: ['/usr/bin/guestree'],
    bootId: 'this boot',
    ostreeBooted: false,
    progress: { step: () => undefined, detail: () => undefined, warning: () => undefined },
    interruption: new AbortController().signal,
    ...changes,
  };
}
