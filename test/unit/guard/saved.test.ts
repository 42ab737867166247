import { join } from 'node:path';
import { readdir, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readSaved, removeSaved, writeSaved, type SavedWindow } from '../../../src/guard/saved.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';

const SAVED: SavedWindow = {
  version: 1,
  guest: 'mail',
  stateroot: 'guestree-mail',
  bootId: 'this boot',
  openedAt: '2025-01-02T03:04:05.000Z',
  refs: { 'rpmostree/base/0': 'a'.repeat(64) },
  host: {
    file: Buffer.from('staged \0 file').toString('base64'),
    lockMarker: true,
    origin: '[origin]\nrefspec=fedora:stable\n',
    menu: ['fedora/1.0'],
    booted: 'fedora/1.0',
  },
};

test('what a window saved is read back as it was written, and nothing else is left', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'guard/window.json');
  expect(await readSaved(path)).toBeUndefined();
  await writeSaved(path, SAVED);
  expect(await readSaved(path)).toEqual(SAVED);
  expect(await readdir(join(directory, 'guard'))).toEqual(['window.json']);
  await removeSaved(path);
  await removeSaved(path);
  expect(await readSaved(path)).toBeUndefined();
});

test.each([
  ['an empty file', ''],
  ['half a file', JSON.stringify(SAVED).slice(0, 60)],
  ['another version', JSON.stringify({ ...SAVED, version: 2 })],
  ['a stateroot of the host', JSON.stringify({ ...SAVED, stateroot: 'fedora' })],
  ['a stateroot with a path', JSON.stringify({ ...SAVED, stateroot: 'guestree-../fedora' })],
])('%s is told, and never taken for an open window', async (_, text) => {
  const path = join(await temporaryDirectory(), 'window.json');
  await writeFile(path, text);
  const failure = await failureOfLater(readSaved(path));
  expect(failure.reason).toBe('guard');
  expect(failure.hint).toContain('guestree guard --repair');
});
