import { Command, CommanderError } from 'commander';
import { App, renderFailure } from '../app/app.ts';
import { enterNamespace, requirePrograms, requireRoot } from '../app/privilege.ts';
import { EXIT_BUG, exitCodeOf, Failure } from '../model/failure.ts';
import { storageFailure } from '../system/files.ts';
import { adopt } from './adopt.ts';
import { cleanup } from './cleanup.ts';
import { create } from './create.ts';
import { diff } from './diff.ts';
import { exec } from './exec.ts';
import { guard } from './guard.ts';
import { history } from './history.ts';
import { install } from './install.ts';
import { list } from './list.ts';
import { logs } from './logs.ts';
import { override } from './override.ts';
import { pin } from './pin.ts';
import { rebase } from './rebase.ts';
import { recover } from './recover.ts';
import { remove } from './remove.ts';
import { restart } from './restart.ts';
import { rollback } from './rollback.ts';
import { shell } from './shell.ts';
import { start } from './start.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { uninstall } from './uninstall.ts';
import { unpin } from './unpin.ts';
import { upgrade } from './upgrade.ts';
import { Arguments, type Verb } from './verb.ts';

const VERBS: readonly Verb[] = [
  create,
  adopt,
  install,
  uninstall,
  upgrade,
  rebase,
  override,
  rollback,
  pin,
  unpin,
  history,
  diff,
  cleanup,
  guard,
  start,
  stop,
  restart,
  list,
  status,
  shell,
  exec,
  logs,
  remove,
  recover,
];

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs the command line and gives the exit code. Nothing below calls process.exit(). */
export async function main(
  argv: readonly string[],
  environment: Environment,
  version: string,
): Promise<number> {
  let exitCode = 0;
  const program = new Command('guestree')
    .description('Guest operating systems as OSTree deployments, booted by systemd-nspawn.')
    .version(`guestree ${version}`, '--version')
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(see: guestree --help)');
  for (const verb of VERBS) declare(program, verb, environment, (code) => (exitCode = code));
  const json = argv.includes('--json');
  try {
    await program.parseAsync(argv);
  } catch (error) {
    return reportError(error, json);
  }
  return exitCode;
}

function declare(
  program: Command,
  verb: Verb,
  environment: Environment,
  finish: (code: number) => void,
): void {
  const command = program.command(`${verb.name}${verb.args === undefined ? '' : ` ${verb.args}`}`);
  command.description(verb.summary).exitOverride();
  verb.declare?.(command);
  if (verb.kind === 'reading') command.option('--json', 'print JSON');
  if (verb.kind === 'changing') command.option('-n, --dry-run', 'print the steps and change nothing');
  command.option('--verbose', 'show each external command');
  if (verb.examples)
    command.addHelpText('after', `\nExamples:\n${verb.examples.map((line) => `  ${line}\n`).join('')}`);
  command.action(async (...given: unknown[]) => {
    const options = command.opts<Record<string, unknown>>();
    const flags = {
      verbose: options['verbose'] === true,
      json: options['json'] === true,
      dryRun: options['dryRun'] === true,
    };
    requireRoot(verb.name);
    const app = new App(flags, environment);
    if (verb.kind === 'changing')
      requirePrograms([
        'ostree',
        'systemctl',
        'systemd-nspawn',
        'machinectl',
        'flock',
        'unshare',
        'setpriv',
        'mount',
      ]);
    if (verb.writesState === true) {
      const code = await enterNamespace(app.effects.runner, app.effects.paths.state, environment);
      if (code !== undefined) {
        finish(code);
        return;
      }
    }
    finish((await verb.run(app, new Arguments(given.slice(0, -2), options))) ?? 0);
  });
}

function reportError(thrown: unknown, json: boolean): number {
  // A full or read-only file system can show itself anywhere and is never a bug.
  const place = thrown instanceof Error && 'path' in thrown ? String(thrown.path) : 'the state directory';
  const error = storageFailure(thrown, place);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // commander has told the user already; a program that reads JSON has not heard of it.
    if (json)
      printError(
        new Failure('usage', error.message.replace(/^error: /, ''), { hint: 'See: guestree --help' }),
      );
    return exitCodeOf('usage');
  }
  if (error instanceof Failure) {
    if (json) printError(error);
    process.stderr.write(renderFailure(error));
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`guestree: this is a bug, please report it:\n${text}\n`);
  return EXIT_BUG;
}

function printError({ reason, message, hint, guest }: Failure): void {
  process.stdout.write(
    `${JSON.stringify({ version: 1, error: { reason, message, hint, guest } }, null, 2)}\n`,
  );
}
