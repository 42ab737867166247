import { readdir } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { machineUnit } from '../model/paths.ts';
import { isErrno } from './files.ts';
import { tellStartFailure } from './startfailure.ts';
import { CommandFailure, CommandTimeout, type Runner } from './run.ts';

/** What systemd says of the unit that boots a guest. */
export interface UnitState {
  /** `active`, `inactive`, `activating`, `deactivating`, `failed` (systemctl(1)). */
  active: string;
  /** Whether it is started at boot. */
  enabled: boolean;
}

/**
 * Parses `systemctl show -p Id -p ActiveState -p UnitFileState UNIT…`: blocks of KEY=VALUE lines that are separated
 * by an empty line, one block a unit.
 */
export function parseUnitStates(text: string): Map<string, UnitState> {
  const states = new Map<string, UnitState>();
  for (const block of text.split('\n\n')) {
    const fields = new Map(
      block.split('\n').map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]),
    );
    const id = fields.get('Id');
    if (id === undefined) continue;
    states.set(id, {
      active: fields.get('ActiveState') ?? 'unknown',
      enabled: (fields.get('UnitFileState') ?? '').startsWith('enabled'),
    });
  }
  return states;
}

/** systemctl, machinectl and systemd-run on this host. */
export class Systemd {
  readonly #runner: Runner;
  readonly #units: string;
  readonly #wait: boolean;
  #lastReload: Promise<void> = Promise.resolve();
  #nextReload: Promise<void> | undefined;

  /**
   * @param units where `systemctl enable` makes its links
   * @param wait whether start() waits
   */
  constructor(runner: Runner, units = '/etc/systemd/system', wait = true) {
    this.#runner = runner;
    this.#units = units;
    this.#wait = wait;
  }

  /**
   * The same, but start() only asks for the start (systemctl(1), --no-block): a unit that guests are ordered after
   * (systemd.unit(5), After=) would wait for a guest that waits for the unit.
   */
  withoutWaiting(): Systemd {
    return new Systemd(this.#runner, this.#units, false);
  }

  /**
   * Units of all guests. Many are asked for by a pattern, which PID 1 answers from the units that it has loaded: asking
   * for each by name makes it load them all, which takes half a second for 50 guests. A unit that is not loaded is
   * inactive, and enabled if a `.wants` directory has a link to it (systemd.unit(5)).
   */
  async states(names: readonly GuestName[]): Promise<Map<GuestName, UnitState>> {
    if (names.length === 0) return new Map();
    const wanted = names.length === 1 ? names.map(machineUnit) : ['systemd-nspawn@*.service'];
    const { stdout } = await this.#runner.run('systemctl', [
      'show',
      '--property=Id,ActiveState,UnitFileState',
      ...wanted,
    ]);
    const states = parseUnitStates(stdout);
    const enabled = names.length === 1 ? new Set<string>() : await this.enabledUnits();
    return new Map(
      names.map((name) => {
        const unit = machineUnit(name);
        const silent = { active: names.length === 1 ? 'unknown' : 'inactive', enabled: enabled.has(unit) };
        return [name, states.get(unit) ?? silent];
      }),
    );
  }

  /** The units that `.wants` directories have links to. */
  async enabledUnits(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const directory of await listDirectory(this.#units)) {
      if (!/\.(?:wants|requires|upholds)$/.test(directory)) continue;
      for (const unit of await listDirectory(`${this.#units}/${directory}`)) found.add(unit);
    }
    return found;
  }

  async isActive(name: GuestName): Promise<boolean> {
    const state = (await this.states([name])).get(name);
    return (
      state !== undefined && ['active', 'activating', 'reloading', 'deactivating'].includes(state.active)
    );
  }

  /** Returns when the guest's own manager has said READY=1; without waiting, when the start is queued. */
  async start(name: string, timeoutSeconds?: number): Promise<void> {
    const wait = this.#wait ? [] : ['--no-block'];
    try {
      await this.#runner.run('systemctl', ['start', ...wait, machineUnit(name)], { timeoutSeconds });
    } catch (error) {
      if (error instanceof CommandTimeout) {
        throw new Failure('start-failed', `the guest was not ready after ${timeoutSeconds ?? 0} s`, {
          guest: name,
          cause: error,
          hint: `See: journalctl -u ${machineUnit(name)}`,
        });
      }
      if (!(error instanceof CommandFailure)) throw error;
      throw new Failure(
        'start-failed',
        `the guest did not start: ${tellStartFailure(await this.lastLog(machineUnit(name)))}`,
        {
          guest: name,
          cause: error,
          hint: `See: journalctl -u ${machineUnit(name)}`,
        },
      );
    }
  }

  async stop(name: GuestName): Promise<void> {
    await this.#runner.run('systemctl', ['stop', machineUnit(name)]);
  }

  async disable(name: GuestName): Promise<void> {
    await this.#runner.run('systemctl', ['disable', '--quiet', machineUnit(name)], { allow: 'any' });
  }

  async disableUnit(unit: string): Promise<void> {
    await this.#runner.run('systemctl', ['disable', '--quiet', unit]);
  }

  /** Ends a timer, if it was ever begun: one that is not loaded is no failure. */
  async stopTimer(timer: string): Promise<void> {
    await this.#runner.run('systemctl', ['stop', '--quiet', timer], { allow: 'any' });
  }

  /** Asks systemd-analyze(1) whether a calendar event or a time span is one. @throws Failure `invalid` */
  async requireValid(what: 'calendar' | 'timespan', value: string): Promise<void> {
    const { exitCode, stderr } = await this.#runner.run('systemd-analyze', [what, value], { allow: 'any' });
    if (exitCode === 0) return;
    const key = what === 'calendar' ? 'OnCalendar' : 'RandomizedDelaySec';
    throw new Failure('invalid', `${key}=${value} of [Upgrade] is refused: ${stderr.trim()}`, {
      hint: `Change it in the definition. Check it with: systemd-analyze ${what} "${value}"`,
    });
  }

  async enableUnits(units: readonly string[]): Promise<void> {
    await this.#runner.run('systemctl', ['enable', '--quiet', ...units]);
  }

  async startUnit(unit: string): Promise<void> {
    await this.#runner.run('systemctl', ['start', unit]);
  }

  async stopUnit(unit: string): Promise<void> {
    await this.#runner.run('systemctl', ['stop', unit]);
  }

  async startUnits(units: readonly string[]): Promise<void> {
    if (units.length > 0) await this.#runner.run('systemctl', ['start', ...units]);
  }

  /** Units, or patterns that match loaded units (systemctl(1)). What does not run, or is not there, is no failure. */
  async stopUnits(units: readonly string[]): Promise<void> {
    if (units.length > 0) await this.#runner.run('systemctl', ['stop', ...units], { allow: 'any' });
  }

  /** What a unit said last, a line each. */
  async lastLines(unit: string): Promise<string> {
    const argv = ['--unit', unit, '--output=cat', '--lines=5', '--no-pager', '--boot'];
    return (await this.#runner.run('journalctl', argv, { allow: 'any' })).stdout.trim();
  }

  /** Of these units, those that failed. */
  async failedUnits(units: readonly string[]): Promise<string[]> {
    const argv = ['show', '--property=Id,ActiveState,UnitFileState', ...units];
    const states = parseUnitStates((await this.#runner.run('systemctl', argv)).stdout);
    return [...states].filter(([, { active }]) => active === 'failed').map(([id]) => id);
  }

  /** Forgets that units failed, so that nothing of them stays in memory. */
  async resetFailed(patterns: readonly string[]): Promise<void> {
    await this.#runner.run('systemctl', ['reset-failed', ...patterns], { allow: 'any' });
  }

  /** Those who ask while a reload is under way share the one after it: it takes its time where there are many units. */
  async reload(): Promise<void> {
    this.#nextReload ??= this.#lastReload
      .catch(() => undefined)
      .then(async () => {
        this.#nextReload = undefined;
        await this.#runner.run('systemctl', ['daemon-reload']);
      });
    this.#lastReload = this.#nextReload;
    return this.#nextReload;
  }

  /** The directory that a running guest was booted from, as machined knows it. */
  async rootDirectory(name: GuestName): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#runner.run(
      'machinectl',
      ['show', '--property=RootDirectory', '--value', name],
      {
        allow: 'any',
      },
    );
    const path = stdout.trim();
    return exitCode === 0 && path !== '' ? path : undefined;
  }

  /** The process id of a running guest's first process. */
  async leader(name: string): Promise<number | undefined> {
    const { exitCode, stdout } = await this.#runner.run(
      'machinectl',
      ['show', '--property=Leader', '--value', name],
      {
        allow: 'any',
      },
    );
    return exitCode === 0 && /^[1-9][0-9]*$/.test(stdout.trim()) ? Number(stdout.trim()) : undefined;
  }

  /** Ends a machine that nothing is kept of: its first process is killed, and systemd-nspawn then cleans up. */
  async killMachine(machine: string, unit: string): Promise<void> {
    const leader = await this.leader(machine);
    try {
      if (leader !== undefined) process.kill(leader, 'SIGKILL');
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
    await this.#runner.run('systemctl', ['stop', unit], { allow: 'any' });
  }

  /** The last lines that a unit of the host wrote to the journal. */
  async lastLog(unit: string): Promise<string> {
    const { stdout } = await this.#runner.run(
      'journalctl',
      ['--unit', unit, '--output=cat', '--lines=5', '--no-pager', '--boot'],
      { allow: 'any' },
    );
    return stdout.trim();
  }
}

async function listDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}
