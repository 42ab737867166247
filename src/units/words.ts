import { parseCleanPath } from '../model/names.ts';

/** One word of a list (systemd.syntax(7), QUOTING); parseCleanPath() has refused quotes and backslashes. */
export function word(text: string): string {
  return /^[A-Za-z0-9/._+@=-]+$/.test(text) ? text : `"${text}"`;
}

/** A path as one word of a command line, where `$` introduces a variable (systemd.service(5), COMMAND LINES). */
export function argument(path: string): string {
  return word(parseCleanPath(path)).replaceAll('$', '$$$$');
}
