import { parseDefinition } from '../model/definition.ts';
import { formatListen } from '../model/listen.ts';
import type { GuestState } from './state.ts';
import type { Plan, Step } from './step.ts';

/** The ports that a generation holds, as one text; of one that is not made yet, those of the definition. */
function listensOf(state: GuestState, generation: number): string {
  const record = state.generations.find((each) => each.number === generation);
  const definition = record === undefined ? state.definition : parseDefinition(state.name, record.definition);
  return definition.listens.map(formatListen).join(' ');
}

/** Before the guest is stopped for this generation: nothing without held ports before or after. */
export function holdSteps(state: GuestState, generation: number): Step[] {
  const listens = listensOf(state, state.current) + listensOf(state, generation);
  return state.active && listens !== '' ? [{ action: 'hold-ports', guest: state.name, generation }] : [];
}

/** Whether a generation can run beside the current one and take its connections: both hold the same ports. */
export function canRunBeside(state: GuestState, generation: number): boolean {
  const { strategy } = state.definition.switching;
  const listens = listensOf(state, state.current);
  return (
    state.active && strategy === 'blue-green' && listens !== '' && listens === listensOf(state, generation)
  );
}

/** After the swap: nothing if both generations hold the same ports. */
export function portSteps(state: GuestState, generation: number): Step[] {
  const previous = state.current;
  if (listensOf(state, previous) === listensOf(state, generation)) return [];
  return [{ action: 'set-ports', guest: state.name, generation, previous }];
}

/** `restart` without a generation that waits. */
export function planRestart(state: GuestState): Plan {
  const guest = state.name;
  return {
    operation: 'restart',
    guest,
    steps: [
      ...holdSteps(state, state.current),
      // Unlike `halt`, `stop` is taken back by a start: what is cut off in between does not leave the guest stopped.
      ...(state.active ? [{ action: 'stop', guest } as const] : []),
      { action: 'boot', guest },
    ],
  };
}
