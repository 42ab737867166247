import { resolve } from 'node:path';
import { Failure } from '../model/failure.ts';
import {
  barePackageName,
  parseGuestName,
  parsePackageName,
  quoted,
  type PackageName,
} from '../model/names.ts';
import { newest } from '../plan/operations.ts';
import {
  planOverride,
  requireOverridable,
  type LocalRpmFile,
  type OverrideChange,
} from '../plan/overrides.ts';
import { readRpmFile } from '../tree/rpmfile.ts';
import { applyAndTell } from './change.ts';
import { declareSwitch, readSwitch } from './switchoptions.ts';
import type { Arguments, Verb } from './verb.ts';

export const override: Verb = {
  name: 'override',
  args: '<name> <action> [what...]',
  summary: 'remove or replace packages of the base, or reset that (rpm-ostree only)',
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree override web remove nano',
    'guestree override web replace ./openssl-libs-3.5.4-1.fc43.x86_64.rpm',
    'guestree override web reset nano',
    'guestree override web reset --all',
  ],
  declare: (command) =>
    void declareSwitch(command)
      .option('--all', 'with reset: every override')
      .addHelpText('after', '\nActions: remove PKG…, replace FILE.rpm…, reset PKG… (or --all)\n'),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const ask = parseChange(args);
    return app.locked(name, async () => {
      const state = await app.observe(name);
      requireOverridable(state);
      const base = await app.effects.layering.packages(newest(state).base);
      const change = await ask();
      return applyAndTell(app, name, planOverride(state, change, new Set(base.keys()), readSwitch(args)));
    });
  },
};

/** Checks words at once; files are read only when the guest is known to be one that can use them. */
function parseChange(args: Arguments): () => Promise<OverrideChange> {
  const [action, words, all] = [args.required(1), args.many(2), args.flag('all')];
  if (all ? action !== 'reset' || words.length > 0 : words.length === 0) {
    throw new Failure('usage', all ? '--all stands alone, after reset' : 'nothing to override is named', {
      hint: 'See: guestree override --help',
    });
  }
  switch (action) {
    case 'remove': {
      const packages = names(words);
      return () => Promise.resolve({ action, packages });
    }
    case 'reset': {
      const packages = all ? ('all' as const) : names(words);
      return () => Promise.resolve({ action, packages });
    }
    case 'replace':
      return async () => ({ action, files: await readFiles(words) });
    default:
      throw new Failure('usage', `${quoted(action)} is not remove, replace or reset`, {
        hint: 'See: guestree override --help',
      });
  }
}

function names(words: readonly string[]): PackageName[] {
  return [...new Set(words)].map((word) => {
    const name = parsePackageName(word);
    if (barePackageName(name) === name) return name;
    throw new Failure('invalid', `${quoted(word)} has a version or an architecture`, {
      hint: 'Name the package alone: an override is for whatever version the base has.',
    });
  });
}

async function readFiles(paths: readonly string[]): Promise<LocalRpmFile[]> {
  const files: LocalRpmFile[] = [];
  for (const each of paths) {
    const path = resolve(each);
    const found = { ...(await readRpmFile(path)), path };
    const twice = files.find(({ name }) => name === found.name);
    if (twice === undefined) files.push(found);
    else if (twice.sha256 !== found.sha256) {
      throw new Failure('invalid', `two files hold the package ${found.name}`, {
        hint: `Give one of ${quoted(twice.path)} and ${quoted(path)}.`,
      });
    }
  }
  return files;
}
