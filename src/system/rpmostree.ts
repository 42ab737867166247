import * as z from 'zod';
import { EXIT_UNCHANGED, Failure } from '../model/failure.ts';
import { isCommit, quoted, type Commit } from '../model/names.ts';
import type { Runner } from './run.ts';
import { rpmOstreeFailure } from './rpmostreemessages.ts';

/** One thing that rpm-ostree is asked to do with the deployments of an OS. */
export type RpmOstreeOperation =
  | { verb: 'install'; packages: readonly string[]; uninstall?: readonly string[] }
  | { verb: 'uninstall'; packages: readonly string[]; install?: readonly string[] }
  | { verb: 'upgrade'; install?: readonly string[]; uninstall?: readonly string[] }
  | { verb: 'rebase'; refspec: string; revision?: Commit }
  | { verb: 'override-remove' | 'override-reset'; packages: readonly string[] }
  /** Absolute paths of .rpm files; `remove` in the same transaction. */
  | { verb: 'override-replace'; files: readonly string[]; remove?: readonly string[] };

export interface RpmOstreeOptions {
  /** The stateroot. Without it rpm-ostree takes the booted one. */
  os: string;
  /** The staged deployment is not finalised at shutdown. */
  lockFinalization?: boolean;
  /** Use package lists and packages that were downloaded before. */
  cacheOnly?: boolean;
  /** Print what would change; nothing is staged. */
  dryRun?: boolean;
}

/** Part of a list of deployments that `cleanup` removes: -p, -r, -b, -m. */
export type RpmOstreeCleanup = 'pending' | 'rollback' | 'base' | 'repomd';

/**
 * The command line of an operation, without the program. Only options that rpm-ostree 2020.10 has too, and `--os=`, which
 * newer versions hide behind `--stateroot` and still take (the option tables in src/app/*.cxx).
 */
export function rpmOstreeArguments(operation: RpmOstreeOperation, options: RpmOstreeOptions): string[] {
  const common = [
    `--os=${requireWord(options.os)}`,
    ...(options.lockFinalization === true ? ['--lock-finalization'] : []),
    ...(options.dryRun === true ? ['--dry-run'] : []),
  ];
  const cached = options.cacheOnly === true ? ['--cache-only'] : [];
  // A package that is in the base already, or that was asked for before, is no error for us.
  const packages = ['--idempotent', '--allow-inactive', '--unchanged-exit-77'];
  switch (operation.verb) {
    case 'install':
      return [
        ...['install', ...common, ...cached, ...packages],
        ...(operation.uninstall ?? []).map((name) => `--uninstall=${requireWord(name)}`),
        ...requireWords(operation.packages),
      ];
    case 'uninstall':
      return [
        // It works on cached data by itself, and 2020.10 does not know the option here.
        ...['uninstall', ...common, ...packages],
        ...(operation.install ?? []).map((name) => `--install=${requireWord(name)}`),
        ...requireWords(operation.packages),
      ];
    case 'upgrade':
      return [
        // A base that was made anew may be older than the one before by its timestamp.
        ...['upgrade', ...common, ...cached, '--unchanged-exit-77', '--allow-downgrade'],
        ...(operation.install ?? []).map((name) => `--install=${requireWord(name)}`),
        ...(operation.uninstall ?? []).map((name) => `--uninstall=${requireWord(name)}`),
      ];
    case 'rebase':
      return [
        ...['rebase', ...common, ...cached, requireWord(operation.refspec)],
        ...(operation.revision === undefined ? [] : [operation.revision]),
      ];
    case 'override-remove':
    case 'override-reset':
      return [
        ...['override', operation.verb.slice('override-'.length), ...common],
        ...requireWords(operation.packages),
      ];
    case 'override-replace':
      return [
        ...['override', 'replace', ...common],
        ...(operation.remove ?? []).map((name) => `--remove=${requireWord(name)}`),
        ...requireWords(operation.files),
      ];
  }
}

/** Names come from definitions and files: none may become an option. */
function requireWord(word: string): string {
  if (/^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(word)) return word;
  throw new Failure('invalid', `${quoted(word)} cannot be given to rpm-ostree`, {
    hint: 'Names start with a letter or a digit and have no blanks.',
  });
}

function requireWords(words: readonly string[]): string[] {
  return words.map(requireWord);
}

/** One line of output: what is done, and how far it is if the line says so. */
export interface RpmOstreeProgress {
  text: string;
  done?: number;
  total?: number;
  percent?: number;
}

/**
 * Lines end in `...done`; counts stand as `3/10`, percentages as ` 45%` (rust/src/console_progress.rs,
 * client_render_download_progress()). On a terminal a spinner and a bar in brackets are drawn around them.
 */
export function parseProgress(line: string): RpmOstreeProgress {
  const plain = line
    .replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '')
    .replace(/\p{Cc}/gu, '')
    .replace(/^[\u2800-\u28ff]/, '');
  const count = /(?:^|[\s(])(\d{1,9})\/(\d{1,9})(?=$|[\s),;\]])/.exec(plain);
  const percent = /(?:^|\s)(\d{1,3})%/.exec(plain);
  const text = plain
    .replace(/\.\.\.\s*(?:done)?\s*$/, '')
    .replace(/\s*\[[#=>\s\u2588\u2591-]*\]/, '')
    .trim();
  return {
    text,
    ...(count === null ? {} : { done: Number(count[1]), total: Number(count[2]) }),
    ...(percent === null ? {} : { percent: Number(percent[1]) }),
  };
}

const commit = z.string().refine(isCommit);
const words = z.array(z.string()).default([]);

/** Keys by rust/src/daemon.rs and src/daemon/rpmostreed-deployment-utils.cxx; others are ignored. */
const deploymentSchema = z
  .object({
    id: z.string(),
    osname: z.string(),
    checksum: commit,
    serial: z.number().int(),
    booted: z.boolean(),
    staged: z.boolean().default(false),
    pinned: z.boolean().default(false),
    unlocked: z.string().default('none'),
    version: z.string().optional(),
    timestamp: z.number().optional(),
    origin: z.string().optional(),
    'container-image-reference': z.string().optional(),
    'base-checksum': commit.optional(),
    'finalization-locked': z.boolean().default(false),
    'requested-packages': words,
    'requested-local-packages': words,
    'requested-base-removals': words,
    'requested-base-local-replacements': words,
    packages: words,
  })
  .transform((raw) => ({
    id: raw.id,
    osname: raw.osname,
    checksum: raw.checksum,
    serial: raw.serial,
    booted: raw.booted,
    staged: raw.staged,
    pinned: raw.pinned,
    unlocked: raw.unlocked,
    version: raw.version,
    /** Seconds since 1970. */
    timestamp: raw.timestamp,
    /** The ref that it follows; undefined for a container image. */
    origin: raw.origin,
    containerImage: raw['container-image-reference'],
    /** The commit that packages are layered on; undefined where nothing is. */
    base: raw['base-checksum'],
    finalizationLocked: raw['finalization-locked'],
    requested: raw['requested-packages'],
    requestedLocal: raw['requested-local-packages'],
    removed: raw['requested-base-removals'],
    replacedLocal: raw['requested-base-local-replacements'],
    /** What of the requested packages is layered; the others are in the base. */
    packages: raw.packages,
  }));

const statusSchema = z
  .object({
    deployments: z.array(deploymentSchema),
    // [method, sender, object path]
    transaction: z.tuple([z.string()]).rest(z.unknown()).nullish(),
    'update-driver': z.unknown().optional(),
  })
  .transform((raw) => ({
    /** In the order of the boot menu, a staged one first. */
    deployments: raw.deployments,
    /** What is under way, in rpm-ostree's words. */
    transaction: raw.transaction?.[0],
    /** Whether another program (zincati, say) decides on upgrades. */
    driven: raw['update-driver'] !== undefined && raw['update-driver'] !== null,
  }));

export type RpmOstreeDeployment = z.infer<typeof deploymentSchema>;
export type RpmOstreeStatus = z.infer<typeof statusSchema>;

/** Reads `rpm-ostree status --json`. @throws Failure `unsupported` for what is not that */
export function parseRpmOstreeStatus(text: string): RpmOstreeStatus {
  return parseJson(statusSchema, text, 'rpm-ostree status --json');
}

/** A package that comes (no `from`), goes (no `to`) or changes its version; versions are EPOCH:VERSION-RELEASE. */
export interface RpmChange {
  package: string;
  from: string | undefined;
  to: string | undefined;
}

/** (name, version, architecture) */
const packageTuple = z.tuple([z.string(), z.string(), z.string()]);
/** A GVariant of type a(sua{sv}) as JSON (src/daemon/rpmostree-package-variants.cxx). */
const diffSchema = z.object({
  pkgdiff: z.array(
    z.tuple([
      z.string(),
      z.number(),
      z.object({ PreviousPackage: packageTuple.optional(), NewPackage: packageTuple.optional() }),
    ]),
  ),
});

/** Reads `rpm-ostree db diff --format=json`; changes by name. @throws Failure `unsupported` for what is not that */
export function parseRpmDiff(text: string): RpmChange[] {
  const { pkgdiff } = parseJson(diffSchema, text, 'rpm-ostree db diff --format=json');
  return pkgdiff
    .map(([name, , details]) => ({
      package: name,
      from: details.PreviousPackage?.[1],
      to: details.NewPackage?.[1],
    }))
    .sort((a, b) => (a.package < b.package ? -1 : a.package > b.package ? 1 : 0));
}

function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure('unsupported', `the output of ${what} cannot be understood`, {
      cause: error,
      hint: 'See which version is installed with: rpm-ostree --version',
    });
  }
}

/** What rpm-ostree printed when it had nothing to do and was not asked for exit code 77. */
const UNCHANGED = /^(?:No change\.|No upgrade available\.|No updates available\.|Deployments unchanged\.)$/m;

/** Whether anything was staged. @throws Failure for every exit code but 0 and 77 */
export function rpmOstreeOutcome(result: {
  exitCode: number;
  stdout: string;
  stderr: string;
}): 'changed' | 'unchanged' {
  if (result.exitCode === EXIT_UNCHANGED) return 'unchanged';
  if (result.exitCode !== 0) throw rpmOstreeFailure(`${result.stdout}${result.stderr}`, result.exitCode);
  return UNCHANGED.test(result.stdout) ? 'unchanged' : 'changed';
}

/** The host's rpm-ostree: a client of its daemon. What it does to deployments, it does to the *host's* list of them. */
export class RpmOstree {
  readonly #runner: Runner;
  readonly #program: string;

  /** @param program for tests and for a program at another place */
  constructor(runner: Runner, program = 'rpm-ostree') {
    this.#runner = runner;
    this.#program = program;
  }

  /** The first line of `--version`, and the version. */
  async version(): Promise<{ name: string; version: string }> {
    const { stdout } = await this.#runner.run(this.#program, ['--version']);
    return {
      name: (stdout.split('\n')[0] ?? '').replace(/:$/, ''),
      version: /^ Version: '?([^'\n]*)'?$/m.exec(stdout)?.[1] ?? 'unknown',
    };
  }

  /**
   * Stages what the operation asks for.
   * @param progress gets each line as it is printed
   */
  async change(
    operation: RpmOstreeOperation,
    options: RpmOstreeOptions,
    progress: (step: RpmOstreeProgress) => void = () => undefined,
  ): Promise<'changed' | 'unchanged'> {
    const result = await this.#runner.run(this.#program, rpmOstreeArguments(operation, options), {
      allow: 'any',
      onLine: (line) => {
        if (line.trim() !== '') progress(parseProgress(line));
      },
    });
    return rpmOstreeOutcome(result);
  }

  /** Removes deployments of an OS that are not booted, or cached data. */
  async cleanup(os: string, what: readonly RpmOstreeCleanup[]): Promise<'changed' | 'unchanged'> {
    const args = ['cleanup', `--os=${requireWord(os)}`, ...what.map((each) => `--${each}`)];
    return rpmOstreeOutcome(await this.#runner.run(this.#program, args, { allow: 'any' }));
  }

  async status(): Promise<RpmOstreeStatus> {
    return parseRpmOstreeStatus(await this.#ask(['status', '--json']));
  }

  /** Package changes between two commits; needs no daemon. */
  async diff(from: Commit, to: Commit, repo?: string): Promise<RpmChange[]> {
    const where = repo === undefined ? [] : [`--repo=${repo}`];
    return parseRpmDiff(await this.#ask(['db', 'diff', '--format=json', ...where, from, to]));
  }

  async #ask(args: readonly string[]): Promise<string> {
    const result = await this.#runner.run(this.#program, args, { allow: 'any' });
    if (result.exitCode !== 0) throw rpmOstreeFailure(`${result.stdout}${result.stderr}`, result.exitCode);
    return result.stdout;
  }
}
