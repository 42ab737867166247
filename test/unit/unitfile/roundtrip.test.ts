import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import { unlessRefused } from '../failures.ts';
import { meaningOf } from './snapshot.ts';

const DIRECTORIES = ['/lib/systemd/system', '/lib/systemd/user', '/usr/lib/systemd/network'];
const NO_UNIT_FILES = /\.(?:wants|requires|upholds)$/;

/** Every unit file of this machine, drop-ins included; links would only name a file twice. */
function unitFiles(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const status = lstatSync(path);
    if (status.isDirectory()) return NO_UNIT_FILES.test(name) ? [] : unitFiles(path);
    return status.isFile() ? [path] : [];
  });
}

test('every real unit file of this machine is given back byte for byte', () => {
  const paths = DIRECTORIES.flatMap(unitFiles);
  let assignments = 0;
  for (const path of paths) {
    const bytes = readFileSync(path);
    const file = UnitFile.parse(bytes.toString('utf8'), path);
    expect(Buffer.from(file.toString()).equals(bytes), path).toBe(true);
    assignments += meaningOf(file).length;
  }
  expect(paths.length).toBeGreaterThanOrEqual(50);
  expect(assignments).toBeGreaterThan(paths.length * 2);
});

test('every real unit file can be added to, set and taken from without another key changing', () => {
  for (const path of DIRECTORIES.flatMap(unitFiles)) {
    const text = readFileSync(path, 'utf8');
    const file = UnitFile.parse(text, path);
    for (const { section, key } of meaningOf(file)) {
      const changed = UnitFile.parse(text).set(section, key, 'changed').toString();
      const others = meaningOf(UnitFile.parse(changed)).filter(
        (each) => each.section !== section || each.key !== key,
      );
      expect(others, `${path} ${key}`).toEqual(
        meaningOf(file).filter((each) => each.section !== section || each.key !== key),
      );
      expect(UnitFile.parse(changed).lookupAll(section, key)).toEqual(['changed']);
    }
    for (const section of file.sections()) {
      const added = UnitFile.parse(text).add(section, 'X-Test', 'added');
      expect(added.remove(section, 'X-Test').toString(), path).toBe(text);
    }
  }
});

test('any text is given back byte for byte, or refused', () => {
  const lines = fc.constantFrom(
    '[A]',
    'x=1',
    'x=',
    'y=a \\',
    '  z = b\\\\',
    '# c',
    '; d \\',
    '',
    ' \t',
    '\\',
    '\r',
  );
  const texts = fc.array(fc.oneof(lines, fc.string({ unit: 'binary' })), { maxLength: 15 });
  fc.assert(
    fc.property(texts, (parts) => {
      const text = parts.join('\n');
      expect(unlessRefused(() => UnitFile.parse(text).toString()) ?? text).toBe(text);
    }),
    { numRuns: 500 },
  );
});
