import type { Action, Plan } from './step.ts';

/**
 * The state machine of an operation on a guest, written down once: docs/states.md is drawn from it, and a plan that is
 * no path through it is refused before its first step, also when it is read back from a journal.
 */
const STATES = {
  absent: 'There is no guest of that name.',
  preparing: 'The guest’s directory and definition are there, and no tree.',
  settled: 'The generation that was chosen last is current; it runs, or the guest is stopped.',
  building: 'A tree is fetched and layered in the pool; the guest knows nothing of it.',
  deployed: 'The tree is a pinned deployment in the guest’s sysroot, with merged /etc.',
  built: 'The new generation has its record and files, and waits.',
  proven: 'The new generation has booted beside the running guest and passed its checks.',
  beside: 'The new generation runs beside the guest, on its own /var, and has passed its checks.',
  stopped: 'The guest is shut down; `current` still points at the old generation.',
  swapped: '`current` points at the new generation.',
  started: 'The new generation said that it is ready.',
  healthy: 'The new generation passed its health checks.',
  removing: 'Links and definition are gone; the guest’s directory is next.',
} as const;

export type State = keyof typeof STATES;

/** Where a plan may begin, and where it may end: between plans nothing else is on the disk. */
const RESTING: readonly State[] = ['absent', 'settled', 'built'];

interface Transition {
  from: readonly State[];
  /** `same`: whatever it was before. */
  to: State | 'same';
}

const BUILDING: readonly State[] = ['building'];
const AT_REST: readonly State[] = ['settled', 'built'];

/** A total map: a step without a place in the state machine does not compile. */
const TRANSITIONS: Readonly<Record<Action, Transition>> = {
  'prepare-host': { from: ['absent', 'settled'], to: 'same' },
  'make-sysroot': { from: ['absent'], to: 'preparing' },
  define: { from: ['preparing'], to: 'same' },
  redefine: { from: ['settled'], to: 'same' },
  'keep-rpms': { from: ['settled'], to: 'same' },
  'fetch-base': { from: ['preparing', 'settled'], to: 'building' },
  layer: { from: BUILDING, to: 'same' },
  'open-window': { from: BUILDING, to: 'same' },
  'seed-window': { from: BUILDING, to: 'same' },
  'clear-window': { from: BUILDING, to: 'same' },
  'restage-host': { from: BUILDING, to: 'same' },
  'close-window': { from: BUILDING, to: 'same' },
  'adopt-tree': { from: ['preparing'], to: 'building' },
  deploy: { from: BUILDING, to: 'deployed' },
  'adopt-data': { from: ['deployed'], to: 'same' },
  render: { from: ['deployed'], to: 'built' },
  keep: { from: ['built'], to: 'same' },
  preflight: { from: AT_REST, to: 'proven' },
  'start-beside': { from: [...AT_REST, 'proven'], to: 'beside' },
  'move-ports': { from: ['beside', 'healthy'], to: 'same' },
  'stop-beside': { from: ['healthy'], to: 'same' },
  'hold-ports': { from: [...AT_REST, 'proven'], to: 'same' },
  stop: { from: [...AT_REST, 'proven', 'beside'], to: 'stopped' },
  'merge-etc': { from: [...AT_REST, 'proven', 'stopped'], to: 'same' },
  swap: { from: [...AT_REST, 'proven', 'stopped'], to: 'swapped' },
  'set-ports': { from: ['swapped'], to: 'same' },
  link: { from: ['swapped'], to: 'same' },
  start: { from: ['swapped'], to: 'started' },
  'check-health': { from: ['started'], to: 'healthy' },
  reload: { from: ['swapped', 'started', 'healthy', 'removing'], to: 'same' },
  settle: { from: ['swapped', 'started', 'healthy'], to: 'settled' },
  boot: { from: ['settled', 'stopped'], to: 'settled' },
  halt: { from: ['settled'], to: 'same' },
  retire: { from: ['settled'], to: 'same' },
  'keep-data': { from: ['settled'], to: 'same' },
  unlink: { from: ['settled'], to: 'removing' },
  'delete-guest': { from: ['removing'], to: 'absent' },
  prune: { from: ['settled', 'absent'], to: 'same' },
};

/** Plans that begin without a guest. */
const FROM_NOTHING = new Set(['create', 'adopt']);

/**
 * The state before each step of a plan, and at last the one after it.
 * @throws Error if the plan is no path through the state machine: a bug, or a journal of another version
 */
export function statesOf(plan: Plan): State[] {
  const states: State[] = [
    FROM_NOTHING.has(plan.operation) || plan.guest === undefined ? 'absent' : 'settled',
  ];
  for (const { action } of plan.steps) {
    const state = states.at(-1) ?? 'absent';
    const { from, to } = TRANSITIONS[action];
    if (!from.includes(state))
      throw new Error(`"${action}" in "${plan.operation}" is not possible from "${state}"`);
    states.push(to === 'same' ? state : to);
  }
  const last = states.at(-1) ?? 'absent';
  if (!RESTING.includes(last))
    throw new Error(`"${plan.operation}" ends in "${last}", which is no state of rest`);
  return states;
}

/** docs/states.md. */
export function drawStates(): string {
  const arrows = Object.entries(TRANSITIONS).flatMap(([action, { from, to }]) =>
    from.map((state) => ({ action, from: state, to: to === 'same' ? state : to })),
  );
  const grouped = new Map<string, string[]>();
  for (const { action, from, to } of arrows) {
    const key = `${from} --> ${to}`;
    grouped.set(key, [...(grouped.get(key) ?? []), action]);
  }
  const lines = [...grouped].map(([arrow, actions]) => `    ${arrow}: ${actions.join(', ')}`);
  return [
    '# States',
    '',
    'What an operation does to a guest, from one state to the next; each arrow is a step of `--dry-run`. Undoing goes the same',
    'way back. Made from `src/plan/states.ts`, which is also what is asserted at run time.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...lines,
    '```',
    '',
    ...Object.entries(STATES).map(([state, meaning]) => `- \`${state}\`: ${meaning}`),
    '',
    `Between operations a guest is ${RESTING.map((state) => `\`${state}\``).join(' or ')}.`,
    '',
  ].join('\n');
}
