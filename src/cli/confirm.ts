import { createInterface } from 'node:readline/promises';
import { Failure } from '../model/failure.ts';

/**
 * Asks on the terminal, and throws unless the answer is yes.
 * @param beforehand the command line that says yes without being asked
 */
export async function confirm(question: string, beforehand: string, guest?: string): Promise<void> {
  const details = guest === undefined ? {} : { guest };
  if (!process.stdin.isTTY) {
    throw new Failure('usage', 'this command asks before it goes on, and there is no terminal to ask on', {
      hint: `Say yes beforehand with: ${beforehand}`,
      ...details,
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())) return;
  } finally {
    terminal.close();
  }
  throw new Failure('conflict', 'nothing was done, because the answer was not yes', details);
}
