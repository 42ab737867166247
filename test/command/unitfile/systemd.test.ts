import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import { verify } from '../verify.ts';

/**
 * systemd repeats a Type= that it does not know in its complaint: that shows how it read the value. Each text stands
 * behind `Type=zz`; what follows it in the file is another key.
 */
async function asSystemdReads(texts: readonly string[]): Promise<string[]> {
  const names = texts.map((_, index) => `u${index}.service`);
  const lines = await verify(
    Object.fromEntries(texts.map((text, index) => [`u${index}.service`, unit(text)])),
    ...names,
  );
  return names.map((name) => {
    const said = lines.find((line) => line.startsWith(`${name}:`) && line.includes('service type'));
    return said?.replace(/^.*service type, ignoring: /, '') ?? 'nothing was said';
  });
}

const unit = (text: string): string => `[Service]\nExecStart=/bin/true\nType=zz${text}\nUser=root\n`;

const asWeRead = (text: string): string | undefined => UnitFile.parse(unit(text)).lookup('Service', 'Type');

test('values with continuations, comments and backslashes are read as systemd reads them', async () => {
  const texts = [
    '',
    ' a ; b # c',
    '\\\na',
    ' \\\n   a \\\n\tb',
    '\\\n# c\n; d\na',
    '\\\n# c \\\na',
    '\\\n\nNice=1',
    '\\\n   \nNice=1',
    '\\\\',
    '\\\\\\\na',
    'a\\\\\\\\',
    '\\\n[Unit]',
    '=a = b',
    '"a b" \'c\'',
    '  \t ',
    '\u00a0a\u00a0',
    'ä😀',
    '\\x20\\n',
  ];
  expect(texts.map(asWeRead)).toEqual(await asSystemdReads(texts));
});

test('values put together at random are read as systemd reads them', async () => {
  const parts = fc.constantFrom(
    'a',
    ' ',
    '\t',
    '\\',
    '\\\n',
    '\n# c\n',
    '#',
    ';',
    '=',
    '"',
    "'",
    '\\\\',
    '[B]',
    'x=1',
  );
  const texts = fc
    .sample(fc.array(parts, { maxLength: 8 }), { numRuns: 300, seed: 20_250_102 })
    .map((each) => each.join(''))
    // Another Type= or a broken line would change what is asked, not how it is read.
    .filter((text) => !/(^|[^\\])(\\\\)*\n/.test(text));
  expect(texts.length).toBeGreaterThan(100);
  expect(texts.map(asWeRead)).toEqual(await asSystemdReads(texts));
});
