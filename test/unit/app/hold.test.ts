import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { findHold, tellHold } from '../../../src/app/hold.ts';
import { parseGuestName } from '../../../src/model/names.ts';
import { hostPaths } from '../../../src/model/paths.ts';
import { temporaryDirectory } from '../directory.ts';

const mail = parseGuestName('mail');

async function hold(path: string, text: string): Promise<string | undefined> {
  const directory = await temporaryDirectory();
  const paths = { ...hostPaths('/state'), definitions: `${directory}/etc`, runtime: `${directory}/run` };
  await mkdir(dirname(`${directory}/${path}`), { recursive: true });
  await writeFile(`${directory}/${path}`, text);
  const found = await findHold(paths, mail);
  return found === undefined ? undefined : tellHold(found).replace(directory, '');
}

test.each([
  ['etc/hold', 'all of them\n', 'all of them (/etc/hold)'],
  ['run/hold', '', 'no reason is given (/run/hold)'],
  ['etc/mail.hold', 'wait for Bob\nmore\n', 'wait for Bob (/etc/mail.hold)'],
  ['run/mail.hold', '\u001b[31mred\u202e', '[31mred (/run/mail.hold)'],
  ['etc/web.hold', 'another guest', undefined],
  ['run/hold', 'x'.repeat(1000), `${'x'.repeat(200)} (/run/hold)`],
])('%s with %j', async (path, text, expected) => {
  expect(await hold(path, text)).toBe(expected);
});
