import { readdir } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { machineUnit } from '../model/paths.ts';
import { isErrno } from './files.ts';
import { CommandFailure, type Runner } from './run.ts';

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
  #lastReload: Promise<void> = Promise.resolve();
  #nextReload: Promise<void> | undefined;

  /** @param units where `systemctl enable` makes its links */
  constructor(runner: Runner, units = '/etc/systemd/system') {
    this.#runner = runner;
    this.#units = units;
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

  /** Returns when the guest's own manager has said READY=1. */
  async start(name: GuestName): Promise<void> {
    try {
      await this.#runner.run('systemctl', ['start', machineUnit(name)]);
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      throw new Failure('start-failed', `the guest did not start: ${await this.lastLog(name)}`, {
        guest: name,
        cause: error,
        hint: `See: journalctl -u ${machineUnit(name)}`,
      });
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
  async leader(name: GuestName): Promise<number | undefined> {
    const { exitCode, stdout } = await this.#runner.run(
      'machinectl',
      ['show', '--property=Leader', '--value', name],
      {
        allow: 'any',
      },
    );
    return exitCode === 0 && /^[1-9][0-9]*$/.test(stdout.trim()) ? Number(stdout.trim()) : undefined;
  }

  async lastLog(name: GuestName): Promise<string> {
    const { stdout } = await this.#runner.run(
      'journalctl',
      ['--unit', machineUnit(name), '--output=cat', '--lines=5', '--no-pager', '--boot'],
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
