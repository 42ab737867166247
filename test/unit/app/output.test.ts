import { describe, expect, test } from 'vitest';
import {
  createCommandLog,
  createProgress,
  renderTable,
  standardStreams,
  type Streams,
} from '../../../src/app/output.ts';

interface Recorded extends Streams {
  text: { out: string; err: string };
}

function streams(changes: Partial<Streams> = {}): Recorded {
  const text = { out: '', err: '' };
  return {
    out: (more) => void (text.out += more),
    err: (more) => void (text.err += more),
    errIsTerminal: false,
    outIsTerminal: false,
    color: false,
    text,
    ...changes,
  };
}

describe('a table', () => {
  test('has aligned columns and no white space at the end of a line', () => {
    expect(
      renderTable(
        streams(),
        ['NAME', 'STATE', 'FROM'],
        [
          ['mail', 'running', 'debian:trixie'],
          ['a-long-name', 'stopped', ''],
        ],
      ),
    ).toBe('NAME         STATE    FROM\nmail         running  debian:trixie\na-long-name  stopped\n');
  });

  test('cuts nothing', () => {
    const long = 'x'.repeat(500);
    expect(renderTable(streams(), ['A', 'B'], [[long, long]])).toContain(`${long}  ${long}\n`);
  });

  test('without rows is its heading', () => {
    expect(renderTable(streams(), ['A', 'B'], [])).toBe('A  B\n');
  });

  test('has a bold heading only where there is colour', () => {
    expect(renderTable(streams({ color: true }), ['A'], [['b']])).toBe('\u001b[1mA\u001b[0m\nb\n');
  });

  test('takes rows with fewer cells than the heading', () => {
    expect(renderTable(streams(), ['A', 'B'], [['a']])).toBe('A  B\na\n');
  });
});

describe('progress', () => {
  test('is a line for each step on standard error, and nothing else where that is no terminal', () => {
    const to = streams();
    const progress = createProgress(to, false);
    progress.step(1, 2, 'mail', 'Stop mail.');
    progress.detail('what goes on');
    progress.step(2, 2, undefined, 'Reload the service manager.');
    expect(to.text).toEqual({ out: '', err: '[1/2] mail: Stop mail.\n[2/2] Reload the service manager.\n' });
  });

  test('overwrites its last line on a terminal, without control characters of programs', () => {
    const to = streams({ errIsTerminal: true });
    const progress = createProgress(to, false);
    progress.detail('one\u001b[2J\rtwo');
    progress.detail('x'.repeat(10_000));
    progress.step(1, 1, 'mail', 'Stop mail.');
    expect(to.text.err).toContain('    one [2J two\r\u001b[K');
    expect(Math.max(...to.text.err.split(/[\r\n]/).map((line) => line.length))).toBeLessThan(1000);
    expect(to.text.err.endsWith('\r\u001b[K[1/1] mail: Stop mail.\n')).toBe(true);
  });

  test('says warnings even if it is quiet, and keeps them', () => {
    const to = streams();
    const progress = createProgress(to, true);
    progress.step(1, 1, 'mail', 'Stop mail.');
    progress.warning('the clock is wrong');
    expect(to.text.err).toBe('warning: the clock is wrong\n');
    expect(progress.warnings).toEqual(['the clock is wrong']);
  });
});

describe('the log of commands', () => {
  test('is shown with --verbose only', () => {
    const quiet = streams();
    createCommandLog(quiet, false).started('ostree refs');
    expect(quiet.text.err).toBe('');
    const verbose = streams();
    createCommandLog(verbose, true).started('ostree refs');
    expect(verbose.text.err).toBe('+ ostree refs\n');
  });
});

test('NO_COLOR is respected', () => {
  expect(standardStreams({ NO_COLOR: '1' }).color).toBe(false);
});
