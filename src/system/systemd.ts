import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { machineUnit } from '../model/paths.ts';
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

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  /** Units of all guests in one call: a call each would make `status` slow with many guests. */
  async states(names: readonly GuestName[]): Promise<Map<GuestName, UnitState>> {
    if (names.length === 0) return new Map();
    const { stdout } = await this.#runner.run('systemctl', [
      'show',
      '--property=Id,ActiveState,UnitFileState',
      ...names.map(machineUnit),
    ]);
    const states = parseUnitStates(stdout);
    return new Map(
      names.map((name) => [name, states.get(machineUnit(name)) ?? { active: 'unknown', enabled: false }]),
    );
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
    await this.#runner.run('systemctl', ['reset-failed', machineUnit(name)], { allow: 'any' });
  }

  async disable(name: GuestName): Promise<void> {
    await this.#runner.run('systemctl', ['disable', '--quiet', machineUnit(name)], { allow: 'any' });
  }

  async enableUnits(units: readonly string[]): Promise<void> {
    await this.#runner.run('systemctl', ['enable', '--quiet', ...units]);
  }

  async startUnit(unit: string): Promise<void> {
    await this.#runner.run('systemctl', ['start', unit]);
  }

  async reload(): Promise<void> {
    await this.#runner.run('systemctl', ['daemon-reload']);
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
