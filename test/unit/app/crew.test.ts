import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Crew } from '../../../src/app/crew.ts';
import { createCommandLog, createProgress, type Streams } from '../../../src/app/output.ts';
import { Failure } from '../../../src/model/failure.ts';
import { parseGuestName } from '../../../src/model/names.ts';

const names = ['a', 'b', 'c', 'd', 'e'].map(parseGuestName);

describe('a crew', () => {
  test.each([1, 2, 5, 9])(
    'works on no more than %i guests at the same time, and on all of them',
    async (jobs) => {
      const crew = new Crew();
      const begun: string[] = [];
      let now = 0;
      let most = 0;
      await crew.each(names, jobs, async (name) => {
        begun.push(name);
        most = Math.max(most, ++now);
        await sleep(5);
        now--;
      });
      expect(begun).toEqual(names);
      expect(most).toBe(Math.min(jobs, names.length));
    },
  );

  test('gives every guest its turn, and the failures in the order of the guests', async () => {
    const crew = new Crew();
    const failures = await crew.each(names, 3, async (name) => {
      await sleep(name === 'b' ? 20 : 1);
      if (name === 'b' || name === 'd') throw new Failure('failed', 'no');
    });
    expect(failures.map(({ guest }) => guest)).toEqual(['b', 'd']);
  });

  test('begins nothing new after a bug, and throws it when what was begun has ended', async () => {
    const crew = new Crew();
    const ended: string[] = [];
    const work = crew.each(names, 2, async (name) => {
      await sleep(name === 'a' ? 1 : 30);
      if (name === 'a') throw new TypeError('a bug');
      ended.push(name);
    });
    await expect(work).rejects.toThrow('a bug');
    expect(ended).toEqual(['b']);
  });

  test('lets what is told of several guests be told apart, and shows no transient line then', async () => {
    let text = '';
    const streams: Streams = {
      out: () => undefined,
      err: (more) => (text += more),
      errIsTerminal: true,
      outIsTerminal: false,
      color: false,
    };
    const crew = new Crew();
    const progress = createProgress(streams, false, crew);
    const log = createCommandLog(streams, true, crew);
    await crew.each(names.slice(0, 2), 2, async (name) => {
      await sleep(1);
      progress.detail('reading lists');
      progress.warning(name === 'a' ? 'a: it is late' : 'it is late');
      log.started('ostree refs');
      await sleep(10);
    });
    expect(text.split('\n').sort()).toEqual(
      [
        '',
        '+ ostree refs # a',
        '+ ostree refs # b',
        'warning: a: it is late',
        'warning: b: it is late',
      ].sort(),
    );
    await crew.each(names.slice(0, 1), 2, () => {
      progress.detail('reading lists');
      return Promise.resolve();
    });
    expect(text).toContain('    reading lists');
  });
});
