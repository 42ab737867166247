import { CommandFailure, type Runner } from './run.ts';

/**
 * A structured entry of the host's journal, by `logger --journald` (logger(1), util-linux), which takes FIELD=VALUE
 * lines. Where it is missing nothing is written: an entry is never a reason for an operation to fail.
 * @returns whether it was written
 */
export async function writeJournalEntry(
  runner: Runner,
  fields: Readonly<Record<string, string>>,
): Promise<boolean> {
  const lines = Object.entries(fields).map(([key, value]) => `${key}=${value.replaceAll('\n', ' ')}\n`);
  try {
    await runner.run('logger', ['--journald'], {
      input: ['SYSLOG_IDENTIFIER=guestree\n', ...lines].join(''),
    });
    return true;
  } catch (error) {
    if (error instanceof CommandFailure || isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'missing-program';
}
