import { mkdir, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseGuestName } from '../../../src/model/names.ts';
import { createRunner } from '../../../src/system/run.ts';
import { renderNspawn } from '../../../src/units/nspawn.ts';
import { temporaryDirectory } from '../../unit/directory.ts';

/** No machine of this host is called so: settings in /etc/systemd/nspawn would be read first. */
const NAME = 'guestree-test-settings';

const FIXTURES = new URL('../../fixtures/units/', import.meta.url);
const files = readdirSync(FIXTURES).filter((name) => name.endsWith('.nspawn'));

/**
 * What the installed systemd-nspawn says about a .nspawn file. The directory that it is asked to boot is empty, so it
 * reads the file and then refuses.
 */
async function complaints(text: string): Promise<string[]> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, NAME));
  await writeFile(join(directory, `${NAME}.nspawn`), text);
  const { exitCode, stderr } = await createRunner({ started: () => undefined }, process.env).run(
    'systemd-nspawn',
    [`--directory=${directory}/${NAME}`, '--settings=yes', '--register=no', '--keep-unit'],
    { allow: 'any' },
  );
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain('Refusing.');
  return stderr.split('\n').filter((line) => line.includes(`${NAME}.nspawn:`));
}

describe('systemd-nspawn complains about nothing in', () => {
  test.each(files)('%s', async (name) => {
    expect(await complaints(readFileSync(new URL(name, FIXTURES), 'utf8'))).toEqual([]);
  });

  test('a file with a space, a dollar sign and letters of other alphabets in its paths', async () => {
    const text = renderNspawn({
      name: parseGuestName('mail'),
      generation: 1,
      etc: '/srv/my $guests/ü,x/etc',
      variable: '/srv/my $guests/ü,x/var',
      network: { kind: 'veth' },
      ports: [],
    });
    expect(await complaints(text)).toEqual([]);
  });
});

test('systemd-nspawn would have complained: wrong keys and values are seen', async () => {
  const text = '[Exec]\nBoot=perhaps\nFoo=1\n[Files]\nBind=relative\n[Network]\nPort=tcp:0:1\n';
  expect(await complaints(text)).toHaveLength(4);
});
