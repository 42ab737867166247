import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRunner } from '../../src/system/run.ts';
import { temporaryDirectory } from '../unit/directory.ts';

/**
 * What the installed systemd says about unit files (name → text), a line each. systemd-analyze(1) exits with 0 on an
 * unknown key, so its standard error is what counts.
 */
export async function verify(units: Readonly<Record<string, string>>, ...names: string[]): Promise<string[]> {
  const directory = await temporaryDirectory();
  for (const [name, text] of Object.entries(units)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  const runner = createRunner({ started: () => undefined }, process.env);
  const { stderr } = await runner.run(
    'systemd-analyze',
    ['verify', '--man=no', '--recursive-errors=no', ...names.map((name) => join(directory, name))],
    { allow: 'any', env: { SYSTEMD_UNIT_PATH: `${directory}:`, SYSTEMD_COLORS: '0' } },
  );
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replaceAll(`${directory}/`, ''));
}
