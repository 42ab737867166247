/** What the cuts of a run hit. */
export class Tally {
  /** Operation, then kind of cut, then how many. */
  readonly #cuts = new Map<string, Map<string, number>>();
  readonly #steps = new Map<string, number>();
  readonly #recoveries = new Map<string, number>();
  counted = 0;
  before = 0;
  after = 0;

  /** A cut in the middle of an operation; `step` is the sentence of the step that it hit. */
  cut(operation: string, kind: string, step: string): void {
    this.counted += 1;
    const kinds = this.#cuts.get(operation) ?? new Map<string, number>();
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    this.#cuts.set(operation, kinds);
    this.#steps.set(step, (this.#steps.get(step) ?? 0) + 1);
  }

  recovered(how: string): void {
    this.#recoveries.set(how, (this.#recoveries.get(how) ?? 0) + 1);
  }

  /** Adds what another lab counted. */
  add(other: Tally): void {
    for (const [operation, kinds] of other.#cuts) {
      const mine = this.#cuts.get(operation) ?? new Map<string, number>();
      sum(mine, kinds);
      this.#cuts.set(operation, mine);
    }
    sum(this.#steps, other.#steps);
    sum(this.#recoveries, other.#recoveries);
    this.counted += other.counted;
    this.before += other.before;
    this.after += other.after;
  }

  render(): string {
    const kinds = [...new Set([...this.#cuts.values()].flatMap((each) => [...each.keys()]))].sort();
    const operations = [...this.#cuts.keys()].sort();
    const row = (name: string, cells: readonly (string | number)[]): string =>
      `  ${name.padEnd(12)}${cells.map((cell) => String(cell).padStart(8)).join('')}`;
    const of = (operation: string, kind: string): number => this.#cuts.get(operation)?.get(kind) ?? 0;
    const total = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0);
    return [
      `${this.counted} cuts counted; ${this.before} more came before the operation had begun, ${this.after} after its end`,
      row('', [...kinds, 'all']),
      ...operations.map((name) => {
        const cells = kinds.map((kind) => of(name, kind));
        return row(name, [...cells, total(cells)]);
      }),
      row('all', [...kinds.map((kind) => total(operations.map((name) => of(name, kind)))), this.counted]),
      'hit during:',
      ...sorted(this.#steps).map(([step, count]) => `  ${String(count).padStart(4)}  ${step}`),
      'mended by:',
      ...sorted(this.#recoveries).map(([how, count]) => `  ${String(count).padStart(4)}  ${how}`),
      '',
    ].join('\n');
  }
}

function sum(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [key, count] of from) into.set(key, (into.get(key) ?? 0) + count);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([, a], [, b]) => b - a);
}
