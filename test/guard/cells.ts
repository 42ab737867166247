/** The guard matrix: what the host had staged × what happens while guestree works on a guest inside the guard window. */
const STATES = [
  'nothing staged',
  'host staged',
  'host staged and locked',
  'guest left staged',
  'dangling staged file',
] as const;
export type State = (typeof STATES)[number];

/** Boundaries of the window: before each of its steps and after the last, in the words of `--dry-run`. */
export const BOUNDARIES = ['open', 'seed', 'layer', 'clear', 'restage', 'close', 'end'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

export type Event =
  | { kind: 'success' }
  | { kind: 'package failure' }
  | { kind: 'kill'; before: Boundary }
  | { kind: 'power cut'; before: Boundary }
  | { kind: 'staged meanwhile'; when: 'before' | 'after' };

export interface Cell {
  state: State;
  event: Event;
}

export const EVENTS: readonly Event[] = [
  { kind: 'success' },
  { kind: 'package failure' },
  ...BOUNDARIES.map((before) => ({ kind: 'kill', before }) as const),
  ...BOUNDARIES.map((before) => ({ kind: 'power cut', before }) as const),
  { kind: 'staged meanwhile', when: 'before' },
  { kind: 'staged meanwhile', when: 'after' },
];

export function nameOf(event: Event): string {
  switch (event.kind) {
    case 'success':
    case 'package failure':
      return event.kind;
    case 'kill':
    case 'power cut':
      return `${event.kind} before ${event.before}`;
    case 'staged meanwhile':
      return `${event.kind}, ${event.when} layering`;
  }
}

export function allCells(): Cell[] {
  return STATES.flatMap((state) => EVENTS.map((event) => ({ state, event })));
}

/**
 * A part of the matrix in which every pair of state and kind of event occurs, every pair of kind and boundary, and each
 * boundary with as many states as that gives.
 */
export function coveringCells(): Cell[] {
  const cells: Cell[] = [];
  STATES.forEach((state, row) => {
    const boundary = (shift: number): Boundary => BOUNDARIES[(row + shift) % BOUNDARIES.length] ?? 'open';
    cells.push(
      { state, event: { kind: 'success' } },
      { state, event: { kind: 'package failure' } },
      { state, event: { kind: 'kill', before: boundary(1) } },
      { state, event: { kind: 'power cut', before: boundary(2) } },
      { state, event: { kind: 'staged meanwhile', when: row % 2 === 0 ? 'before' : 'after' } },
    );
  });
  // Two more of each kind, for the boundaries that five rows leave over: where the host has something to lose.
  for (const kind of ['kill', 'power cut'] as const) {
    const seen = new Set(cells.flatMap(({ event }) => (event.kind === kind ? [event.before] : [])));
    for (const before of BOUNDARIES)
      if (!seen.has(before)) cells.push({ state: 'host staged', event: { kind, before } });
  }
  return cells;
}
