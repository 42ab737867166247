import { readFileSync } from 'node:fs';
import { CommandFailure, pasteable, type Runner, type RunResult } from '../../src/system/run.ts';

/** The text of a file of test/fixtures/command; its README says what was recorded how. */
export function recorded(name: string): string {
  return readFileSync(new URL(`../fixtures/command/${name}`, import.meta.url), 'utf8');
}

/** A runner that answers each command line from a recording, and knows no other command line. */
export function replay(answers: Readonly<Record<string, Partial<RunResult>>>): Runner {
  return {
    run(program, args, options = {}) {
      const line = pasteable(program, args);
      const answer = answers[line];
      if (answer === undefined) return Promise.reject(new Error(`there is no recording of: ${line}`));
      const result = { exitCode: 0, stdout: '', stderr: '', ...answer };
      const allowed = options.allow ?? [0];
      if (allowed === 'any' || allowed.includes(result.exitCode)) return Promise.resolve(result);
      return Promise.reject(new CommandFailure(program, line, result));
    },
  };
}
