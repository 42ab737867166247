import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { splitWords } from '../../unit/system/words.ts';
import { buildGuestree } from './guestree.ts';

const VERBS = [
  'create',
  'adopt',
  'install',
  'uninstall',
  'upgrade',
  'stage',
  'pending',
  'rebase',
  'override',
  'rollback',
  'pin',
  'unpin',
  'history',
  'quarantine',
  'diff',
  'cleanup',
  'guard',
  'start',
  'stop',
  'restart',
  'list',
  'status',
  'shell',
  'exec',
  'logs',
  'remove',
  'recover',
];

/** For all guests, or with --all: what is wrong is said later then. */
const WITHOUT_ARGUMENTS = [
  ...['list', 'recover', 'status', 'cleanup', 'guard', 'pending'],
  ...['upgrade', 'stage', 'start', 'stop', 'restart'],
];

const guestree = buildGuestree();

/** The command lines of a help text, without comments and without the program's name. */
function examples(help: string): string[][] {
  const lines = help.split('Examples:\n')[1]?.split('\n') ?? [];
  return lines
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line.startsWith('guestree '))
    .map((line) => splitWords(line).slice(1));
}

describe('guestree --version', () => {
  test('says the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    for (const args of [['--version'], ['--version', '--verbose']]) {
      const ended = await guestree.runUnprivileged(args);
      expect(ended.stdout).toBe(`guestree ${version}\n`);
      expect(ended.exitCode).toBe(0);
    }
  });
});

describe('guestree --help', () => {
  test('lists every verb, and needs no privilege', async () => {
    const { exitCode, stdout, stderr } = await guestree.runUnprivileged(['--help']);
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1]);
    expect(listed).toEqual([...VERBS, 'help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test.concurrent.each(VERBS)('of %s shows its usage and examples that are real', async (verb) => {
    const { exitCode, stdout } = await guestree.runUnprivileged([verb, '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: guestree ${verb}`);
    const found = examples(stdout);
    expect(found.length).toBeGreaterThan(0);
    for (const args of found) {
      expect(args[0]).toBe(verb);
      const ended = await guestree.runUnprivileged(args);
      // Understood, and refused for want of privilege only.
      expect(ended.exitCode, `${args.join(' ')}: ${ended.stderr}`).toBe(76);
    }
  });

  test('survives a reader that goes away', async () => {
    const child = spawn(process.execPath, [guestree.program, '--help'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let complaint = '';
    child.stderr.on('data', (data) => (complaint += String(data)));
    const [exitCode] = (await once(child, 'close')) as [number | null];
    expect({ exitCode, complaint }).toEqual({ exitCode: 0, complaint: '' });
  });
});

describe('without root', () => {
  test.concurrent.each(VERBS.filter((verb) => !WITHOUT_ARGUMENTS.includes(verb)))(
    '%s still says first what is missing on its command line',
    async (verb) => {
      const { exitCode, stderr } = await guestree.runUnprivileged([verb]);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/missing required argument|required option/);
    },
  );

  test.concurrent.each<[string, ...string[]]>([
    ['list'],
    ['status', 'mail', '--json'],
    ['create', 'mail', '--from', 'dir:/x'],
    ['recover'],
  ])('%s is refused with what to type, and nothing is made', async (verb, ...rest) => {
    const { exitCode, stderr } = await guestree.runUnprivileged([verb, ...rest]);
    expect(exitCode).toBe(76);
    expect(stderr).toBe(`guestree: "guestree ${verb}" must be run as root\n  Try: sudo guestree ${verb}\n`);
    expect(existsSync(guestree.state)).toBe(false);
  });
});
