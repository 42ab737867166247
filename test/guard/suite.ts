import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../lab/lab.ts';
import { allCells, coveringCells, EVENTS, nameOf, type Cell, type State } from './cells.ts';
import { prepareHost } from './host.ts';
import { renderMatrix, runCell } from './matrix.ts';

/** `npm run test:guard` runs every cell, the normal test run a covering part of them. */
const FULL = process.env['GUARD_MATRIX'] === 'full';

/** The cells of some states, one after the other on one host of a suite; prints the table at the end. */
export function testMatrix(suite: string, states: readonly State[]): void {
  const cells = (FULL ? allCells() : coveringCells()).filter(({ state }) => states.includes(state));
  const results = new Map<string, 'green' | 'red'>();
  const started = Date.now();
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ suite, bases: ['labos'], rpms: true, name: 'guard' });
    await prepareHost(lab);
  });
  afterAll(async () => {
    await lab.dispose();
    const seconds = Math.round((Date.now() - started) / 1000);
    console.log(
      `Guard matrix on ${suite}, ${results.size} cells, ${seconds} s\n${renderMatrix(results, states, EVENTS)}`,
    );
  });

  const key = ({ state, event }: Cell): string => `${state}/${nameOf(event)}`;
  test.each(cells.map((cell) => [cell.state, nameOf(cell.event), cell] as const))(
    '%s × %s',
    async (_a, _b, cell) => {
      results.set(key(cell), 'red');
      await runCell(lab, cell);
      results.set(key(cell), 'green');
    },
  );

  test('every cell is green', () => {
    expect(results.size).toBe(cells.length);
    expect([...results].filter(([, result]) => result !== 'green')).toEqual([]);
  });
}
