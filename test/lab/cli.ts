/**
 * A lab for humans: `npx tsx test/lab/cli.ts shell` opens a shell on a fresh host and ends it with the shell;
 * `start` keeps one until Ctrl-C and says how to enter it; `clean` empties the cache.
 *
 * Options: --suite=SUITE --plain --read-only --separate-var --base (the guest base tar at /run/lab)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { clearCache } from './cache.ts';
import { startLab } from './lab.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: 'string', default: 'trixie' },
    plain: { type: 'boolean', default: false },
    'read-only': { type: 'boolean', default: false },
    'separate-var': { type: 'boolean', default: false },
    base: { type: 'boolean', default: false },
  },
});

async function main(verb: string | undefined): Promise<void> {
  if (verb === 'clean') return clearCache();
  if (verb !== 'shell' && verb !== 'start')
    throw new Error('usage: cli.ts shell|start|clean [--suite=SUITE] …');
  const lab = await startLab({
    suite: values.suite,
    ostree: !values.plain,
    sysrootReadOnly: values['read-only'],
    separateVar: values['separate-var'],
    bases: values.base ? [values.suite] : [],
  });
  const shell = lab.argv([
    'systemd-run',
    '--pty',
    '--quiet',
    '--collect',
    '--working-directory=/root',
    'bash',
    '-l',
  ]);
  if (verb === 'start') {
    console.log(`${lab.id} runs until Ctrl-C; enter it with\n  ${shell.join(' ')}`);
    setInterval(() => undefined, 1 << 30);
  } else {
    await once(spawn(shell[0] ?? '', shell.slice(1), { stdio: 'inherit' }), 'exit');
    await lab.dispose();
  }
}

await main(positionals[0]);
