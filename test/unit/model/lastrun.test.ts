import { expect, test } from 'vitest';
import { parseLastRun, renderLastRun, type LastRun } from '../../../src/model/lastrun.ts';

const run: LastRun = {
  version: 1,
  time: '2026-11-29T02:00:00.000Z',
  result: 'failed',
  message: 'no space left',
  refused: 7,
};

test('a run is the same after it was written and read', () => {
  expect(parseLastRun(renderLastRun(run))).toEqual(run);
});

test.each(['', '{', 'null', '{"version":2}', '{"version":1,"time":"now","result":"held"}'])(
  '%j is no run, and the next one replaces it',
  (text) => {
    expect(parseLastRun(text)).toBeUndefined();
  },
);
