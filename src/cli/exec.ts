import { Failure } from '../model/failure.ts';
import { parseGuestName } from '../model/names.ts';
import { requireRunning } from './shell.ts';
import type { Verb } from './verb.ts';

export const exec: Verb = {
  name: 'exec',
  args: '<name> <command...>',
  summary: 'run a command in a running guest; its exit code becomes that of guestree',
  kind: 'passing',
  examples: ['guestree exec mail -- postqueue -p'],
  declare: (command) => void command.passThroughOptions(),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    await requireRunning(app, name);
    // systemd-run(1): --pipe hands over our standard streams, --wait gives the exit code. The service manager expands
    // $VARIABLES in a command line (systemd.service(5)); --expand-environment=no is newer than systemd 252.
    const command = commandOf(args.many(1)).map((word) => word.replaceAll('$', '$$$$'));
    const { exitCode } = await app.effects.runner.run(
      'systemd-run',
      [
        ...[`--machine=${name}`, '--quiet', '--wait', '--collect', '--pipe', '--service-type=exec'],
        ...['--', ...command],
      ],
      { interactive: true, allow: 'any' },
    );
    return exitCode;
  },
};

/** The command without the `--` before it, which commander hands on with everything else. */
export function commandOf(words: readonly string[]): string[] {
  const command = words[0] === '--' ? words.slice(1) : [...words];
  if (command.length > 0) return command;
  throw new Failure('usage', 'no command was given', {
    hint: 'For example: guestree exec mail -- postqueue -p',
  });
}
