import { parseGuestName } from '../model/names.ts';
import { guestPaths } from '../model/paths.ts';
import { Sysroot } from '../system/ostree.ts';
import type { Verb } from './verb.ts';

export const logs: Verb = {
  name: 'logs',
  args: '<name> [arguments...]',
  summary: "show a guest's journal; arguments after -- go to journalctl",
  kind: 'passing',
  examples: [
    'guestree logs mail',
    'guestree logs mail --follow',
    'guestree logs mail -- -u postfix@- --since today',
  ],
  declare: (command) =>
    void command
      .option('-f, --follow', 'go on showing new entries')
      .option('-n, --lines <n>', 'only the last N entries'),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const state = await app.observe(name);
    const sysroot = new Sysroot(app.effects.runner, guestPaths(app.effects.paths, name).sysroot);
    // A guest that does not run left its journal in its /var.
    const where = state.active ? `--machine=${name}` : `--directory=${sysroot.variable(name)}/log/journal`;
    const lines = args.text('lines');
    const { exitCode } = await app.effects.runner.run(
      'journalctl',
      [
        where,
        ...(args.flag('follow') ? ['--follow'] : []),
        ...(lines === undefined ? [] : [`--lines=${lines}`]),
        ...(app.streams.outIsTerminal ? [] : ['--no-pager']),
        ...args.many(1),
      ],
      { interactive: true, allow: 'any' },
    );
    return exitCode;
  },
};
