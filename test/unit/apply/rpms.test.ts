import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { placesOf } from '../../../src/apply/effects.ts';
import { keepRpms, removeUnusedRpms } from '../../../src/apply/rpms.ts';
import { renderGeneration } from '../../../src/model/generation.ts';
import { parsePackageName } from '../../../src/model/names.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';
import { generation, mail } from '../plan/states.ts';
import { effectsIn } from './effects.ts';

const name = parsePackageName('hello');
const run = { rebooted: false };
const sum = (text: string): string => createHash('sha256').update(text).digest('hex');

test('package files are kept under their checksums, and go when no generation needs them', async () => {
  const directory = await temporaryDirectory();
  const effects = effectsIn(directory);
  const { rpms, generations } = placesOf(effects, mail);
  await writeFile(`${directory}/hello.rpm`, 'one', { mode: 0o600 });
  const keep = { guest: mail, files: [{ path: `${directory}/hello.rpm`, name, sha256: sum('one') }] };
  await keepRpms.apply(keep, effects, run);
  await keepRpms.apply(keep, effects, run);
  const kept = `${sum('one')}-hello.rpm`;
  expect(await readdir(rpms)).toEqual([kept]);
  expect(await readFile(`${rpms}/${kept}`, 'utf8')).toBe('one');
  expect((await stat(`${rpms}/${kept}`)).mode & 0o777).toBe(0o644);

  await mkdir(`${generations}/1`, { recursive: true });
  const overrides = { removed: [], replaced: [{ name, nevra: 'hello-1-1.noarch', sha256: sum('one') }] };
  const record = `${generations}/1/generation.json`;
  await writeFile(record, renderGeneration({ ...generation(1), overrides }));
  await writeFile(`${rpms}/left over`, '');
  await removeUnusedRpms(effects, mail);
  expect(await readdir(rpms)).toEqual([kept]);

  // A record that cannot be read may need any of them.
  await writeFile(record, '{');
  expect((await failureOfLater(removeUnusedRpms(effects, mail))).reason).toBe('invalid');
  expect(await readdir(rpms)).toEqual([kept]);

  await writeFile(record, renderGeneration(generation(1)));
  await keepRpms.undo?.(keep, effects, run);
  expect(await readdir(rpms)).toEqual([]);
});

test('a file that is not the one that was looked at is not kept', async () => {
  const directory = await temporaryDirectory();
  const effects = effectsIn(directory);
  await writeFile(`${directory}/hello.rpm`, 'two');
  const files = [{ path: `${directory}/hello.rpm`, name, sha256: sum('one') }];
  const failure = await failureOfLater(Promise.resolve(keepRpms.apply({ guest: mail, files }, effects, run)));
  expect(failure.reason).toBe('conflict');
  expect(await readdir(placesOf(effects, mail).rpms)).toEqual([]);
});
