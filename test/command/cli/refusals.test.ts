import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildGuestree, type Ended } from './guestree.ts';

const guestree = buildGuestree();

async function refused(args: readonly string[], exitCode: number): Promise<Ended> {
  const ended = await guestree.run(args);
  expect(ended.exitCode, ended.stderr).toBe(exitCode);
  expect(existsSync(guestree.state), 'the state directory was made').toBe(false);
  expect(ended.stderr).not.toContain('this is a bug');
  return ended;
}

const DIR = ['--from', 'dir:/usr'];

describe('a wrong command line ends with 2 and says what would be right', () => {
  test.concurrent.each<[string[], string]>([
    [[], 'Usage: guestree'],
    [['instal'], 'Did you mean install?'],
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['list', '--bogus'], "unknown option '--bogus'"],
    [['list', '--jsno'], 'Did you mean --json?'],
    [['list', 'mail'], 'too many arguments'],
    [['install', 'mail'], 'missing required argument'],
    [['create', 'mail'], '--from'],
    [['create', 'mail', '--from'], 'argument missing'],
    [['pin', 'mail'], "missing required argument 'generation'"],
    [['cleanup', '--keep', 'many'], '--keep takes a number'],
    [['upgrade'], 'guestree upgrade mail'],
    [['start'], 'guestree start mail'],
    [['stop', 'mail', '--all'], '--all'],
    [['stage', '--all', '--jobs', '0'], '--jobs takes a number'],
    [['restart', 'mail', '--jobs', 'many'], '--jobs takes a number'],
    [['rebase', 'mail'], '--from'],
    [['override', 'mail'], "missing required argument 'action'"],
    [['override', 'mail', 'delete', 'nano'], '"delete" is not remove, replace or reset'],
    [['override', 'mail', 'remove'], 'nothing to override is named'],
    [['override', 'mail', 'remove', '--all'], '--all stands alone'],
    [['override', 'mail', 'reset', 'nano', '--all'], '--all stands alone'],
    [['override', 'mail', 'replace', '--force'], "unknown option '--force'"],
    [['upgrade', 'mail', '--all'], '--all'],
    [['create', 'mail', ...DIR, '--mirror', 'http://m/'], '--mirror belongs to debian: sources'],
    [['create', 'mail', ...DIR, '--repo', '/r'], 'belong to ostree: sources'],
  ])('%j', async (args, hint) => {
    const { stdout, stderr } = await refused(args, 2);
    expect(stderr).toContain(hint);
    expect(stdout).toBe('');
  });
});

describe('a value that cannot be ends with 3, names it, says what can, and makes nothing', () => {
  test.concurrent.each<[string[], string]>([
    [['create', '../x', ...DIR], '"../x" is not a guest name'],
    [['create', 'Mail', ...DIR], '"Mail" is not a guest name'],
    [['create', 'a\nb', ...DIR], '"a\\nb" is not a guest name'],
    [['create', '\u001b[31mx', ...DIR], '"\\u001b[31mx" is not a guest name'],
    [['create', 'a'.repeat(5000), ...DIR], 'is not a guest name'],
    [['create', 'mail', '--from', 'docker:x'], '"docker:x" is not a source'],
    [['create', 'mail', '--from', 'dir:../x'], 'cannot be used as a path'],
    [['create', 'mail', '--from', 'debian:trixie; rm -rf /'], 'is not a Debian suite'],
    [['create', 'mail', '--from', 'ostree:--help'], 'is not an OSTree ref'],
    [['create', 'mail', ...DIR, '--network', 'wifi'], '"wifi" is not a network'],
    [['create', 'mail', ...DIR, '--port', 'tcp:0:1'], '"tcp:0:1" is not a port'],
    [['create', 'mail', ...DIR, '--port', 'tcp:1', '--network', 'host'], 'cannot be published'],
    [['create', 'mail', ...DIR, '--install', 'vim-'], '"vim-" is not a package name'],
    [['install', 'mail', '--', '--allow-unauthenticated'], 'is not a package name'],
    [['install', 'mail', 'vim', 'a b'], '"a b" is not a package name'],
    [['uninstall', '../mail', 'vim'], 'is not a guest name'],
    [['override', '../mail', 'remove', 'vim'], 'is not a guest name'],
    [['override', 'mail', 'remove', '--', '--all'], '"--all" is not a package name'],
    [['override', 'mail', 'remove', 'nano\n--all'], '"nano\\n--all" is not a package name'],
    [['override', 'mail', 'reset', 'nano=7.2'], '"nano=7.2" has a version'],
    [['rollback', 'mail', '0'], '"0" is not a generation number'],
    [['rollback', '.', '1'], 'is not a guest name'],
    [['pin', 'mail', '1e3'], 'is not a generation number'],
    [['unpin', 'mail', '--', '-1'], 'is not a generation number'],
    [['diff', 'a/b'], 'is not a guest name'],
    [['history', '%i'], 'is not a guest name'],
    [['cleanup', '*'], 'is not a guest name'],
    [['start', '$(id)'], 'is not a guest name'],
    [['stop', '-'], 'is not a guest name'],
    [['restart', 'mail', '..'], 'is not a guest name'],
    [['status', ''], '"" is not a guest name'],
    [['shell', '.host'], 'is not a guest name'],
    [['exec', '.host', 'id'], 'is not a guest name'],
    [['logs', '.host'], 'is not a guest name'],
    [['remove', '..', '--yes'], 'is not a guest name'],
    [['upgrade', '../..'], 'is not a guest name'],
  ])('%j', async (args, reason) => {
    const { stdout, stderr } = await refused(args, 3);
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/\n {2}\S.*\n$/);
    // eslint-disable-next-line no-control-regex
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stderr.length).toBeLessThan(500);
    expect(stdout).toBe('');
  });

  test.concurrent.each(['relative', '/x/../y', '/x:y', '/x%h'])('GUESTREE_STATE=%s', async (state) => {
    const { exitCode, stderr } = await guestree.run(['list'], { state });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('cannot be used as a path');
  });
});

describe('a guest that is not there ends with 4', () => {
  test.concurrent.each([
    ['status', 'mail'],
    ['history', 'mail'],
    ['diff', 'mail'],
    ['shell', 'mail'],
    ['exec', 'mail', '--', 'id'],
    ['logs', 'mail'],
    ['install', 'mail', 'vim'],
    ['uninstall', 'mail', 'vim'],
    ['upgrade', 'mail'],
    ['rollback', 'mail'],
    ['pin', 'mail', '1'],
    ['unpin', 'mail', '1'],
    ['cleanup', 'mail'],
    ['start', 'mail'],
    ['stop', 'mail'],
    ['restart', 'mail'],
    ['remove', 'mail', '--yes'],
  ])('%s', async (...args) => {
    const { stderr } = await refused(args, 4);
    expect(stderr).toContain('there is no guest "mail"');
    expect(stderr).toContain('guestree create mail');
  });
});

describe('--json', () => {
  const parse = (ended: Ended): unknown => JSON.parse(ended.stdout);

  test('gives an error as JSON with a version, and as words on standard error', async () => {
    const ended = await refused(['status', '../x', '--json'], 3);
    expect(parse(ended)).toEqual({
      version: 1,
      error: {
        reason: 'invalid',
        message: '"../x" is not a guest name',
        hint: expect.stringContaining('for example') as unknown,
      },
    });
    expect(ended.stderr).toContain('"../x" is not a guest name');
  });

  test('names the guest that an error is about', async () => {
    const ended = await refused(['history', 'mail', '--json'], 4);
    expect(parse(ended)).toMatchObject({ version: 1, error: { reason: 'not-found', guest: 'mail' } });
  });

  test('gives a wrong command line as JSON too', async () => {
    const ended = await refused(['list', '--json', '--bogus'], 2);
    expect(parse(ended)).toMatchObject({
      version: 1,
      error: { reason: 'usage', message: "unknown option '--bogus'" },
    });
    const other = await refused(['install', 'mail', 'vim', '--json'], 2);
    expect(parse(other)).toMatchObject({ version: 1, error: { message: "unknown option '--json'" } });
  });

  test('of a host without guests is an empty list', async () => {
    for (const verb of ['list', 'status']) {
      expect(parse(await refused([verb, '--json'], 0))).toEqual({ version: 1, guests: [] });
    }
  });

  test('is never mixed with progress or help: nothing of the program is printed but one object', async () => {
    expect((await refused(['list', '--json', '--verbose'], 0)).stdout).toMatch(/^\{[\s\S]*\}\n$/);
  });
});

describe('--dry-run', () => {
  test('of create prints numbered sentences and makes nothing', async () => {
    const { stdout, stderr } = await refused(['create', 'mail', ...DIR, '--install', 'vim', '--dry-run'], 0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(8);
    lines.forEach((line, index) => expect(line).toMatch(new RegExp(`^${index + 1}\\. [A-Z].*\\.$`)));
    expect(stdout).toContain('Build the tree of generation 1: vim on the base tree.');
    expect(stderr).toBe('');
  });

  test.concurrent.each([['cleanup'], ['recover']])(
    'of %s on a host without guests makes nothing',
    async (verb) => {
      await refused([verb, '--dry-run'], 0);
    },
  );
});

describe('a file system that cannot be written ends with 74, says why, and what to do', () => {
  const mounted = join(dirname(guestree.state), 'mount');
  const run = (before: string): Promise<Ended> =>
    guestree.run(['create', 'mail', ...DIR], { state: `${mounted}/state`, before });

  test('read-only', async () => {
    const { exitCode, stderr } = await run(`mount -t tmpfs -o ro tmpfs ${mounted}`);
    expect(exitCode, stderr).toBe(74);
    expect(stderr).toContain('read-only file system');
    expect(stderr).toContain('GUESTREE_STATE=DIR');
  });

  test('full', async () => {
    const fill = `mount -t tmpfs -o size=16k tmpfs ${mounted} && { cat /dev/zero >${mounted}/fill 2>/dev/null || true; }`;
    const { exitCode, stderr } = await run(fill);
    expect(exitCode, stderr).toBe(74);
    expect(stderr).toContain('no space left');
    expect(stderr).toContain('guestree cleanup');
  });
});

test('a guest that another guestree works on ends with 6', async () => {
  const hold =
    'mkdir -p /run/guestree/lock && flock /run/guestree/lock/mail sleep 10 >/dev/null 2>&1 & sleep 0.3';
  const { exitCode, stderr } = await guestree.run(['start', 'mail'], { before: `{ ${hold}; }` });
  expect(exitCode).toBe(6);
  expect(stderr).toContain('another guestree command is working on the guest "mail"');
});
