import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  listGuests,
  readCurrent,
  readDefinition,
  readGenerations,
  requireGuest,
} from '../../../src/apply/observe.ts';
import { renderGeneration } from '../../../src/model/generation.ts';
import { parseGuestName } from '../../../src/model/names.ts';
import { guestPaths, type Paths } from '../../../src/model/paths.ts';
import { writeFileAtomic } from '../../../src/system/files.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';
import { definition, generation, mail } from '../plan/states.ts';
import { effectsIn } from './effects.ts';

async function host(): Promise<Paths> {
  return effectsIn(await temporaryDirectory()).paths;
}

/** A guest on the disk, as `create` and `upgrade` leave it. */
async function make(paths: Paths, name: string, ...numbers: number[]): Promise<void> {
  const places = guestPaths(paths, parseGuestName(name));
  for (const number of numbers) {
    const path = join(places.generations, String(number), 'generation.json');
    await writeFileAtomic(path, renderGeneration(generation(number)));
  }
  await mkdir(places.root, { recursive: true });
  await symlink(`generations/${numbers.at(-1) ?? 1}`, places.current);
}

describe('the guests of a host', () => {
  test('are none at first', async () => {
    expect(await listGuests(await host())).toEqual([]);
  });

  test('are those that were made whole, by name', async () => {
    const paths = await host();
    await make(paths, 'web', 1);
    await make(paths, 'mail', 1);
    await mkdir(join(paths.state, 'guests/half/generations'), { recursive: true });
    expect(await listGuests(paths)).toEqual(['mail', 'web']);
  });

  test('are not what else lies there: copies, hidden directories, lost+found', async () => {
    const paths = await host();
    await make(paths, 'mail', 1);
    for (const name of ['mail.bak', '.mail', 'lost+found', 'Mail']) {
      await mkdir(join(paths.state, 'guests', name));
      await symlink('generations/1', join(paths.state, 'guests', name, 'current'));
    }
    expect(await listGuests(paths)).toEqual(['mail']);
  });

  test('are named when one is asked for that is not there', async () => {
    const paths = await host();
    expect((await failureOfLater(requireGuest(paths, mail))).hint).toContain('guestree create mail');
    await make(paths, 'web', 1);
    const failure = await failureOfLater(requireGuest(paths, mail));
    expect(failure).toMatchObject({ reason: 'not-found', guest: 'mail' });
    expect(failure.hint).toContain('There are: web.');
    await make(paths, 'mail', 1);
    await expect(requireGuest(paths, mail)).resolves.toBeUndefined();
  });
});

describe('the generations of a guest', () => {
  test('are read by number, not by name, and half-made ones are passed over', async () => {
    const paths = await host();
    await make(paths, 'mail', 2, 10, 1);
    const { generations } = guestPaths(paths, mail);
    await mkdir(join(generations, '11'));
    await mkdir(join(generations, 'x'));
    await mkdir(join(generations, '.12.new'));
    expect((await readGenerations(generations)).map((each) => each.number)).toEqual([1, 2, 10]);
    expect(await readGenerations(join(generations, 'none'))).toEqual([]);
  });

  test('have a current one that a link names', async () => {
    const paths = await host();
    await make(paths, 'mail', 1, 2);
    expect(await readCurrent(guestPaths(paths, mail).current)).toBe(2);
    expect(await readCurrent(join(paths.state, 'none'))).toBeUndefined();
    await symlink('elsewhere', join(paths.state, 'odd'));
    expect(await readCurrent(join(paths.state, 'odd'))).toBeUndefined();
  });
});

describe('the definition of a guest', () => {
  test('is the file of the administrator', async () => {
    const paths = await host();
    await make(paths, 'mail', 1);
    await writeFileAtomic(guestPaths(paths, mail).definition, '[Guest]\nFrom=dir:/srv/tree\n');
    expect((await readDefinition(paths, mail)).source).toEqual({ kind: 'dir', path: '/srv/tree' });
  });

  test('is the one of the current generation if /etc went back to before the guest was made', async () => {
    const paths = await host();
    await make(paths, 'mail', 1);
    expect(await readDefinition(paths, mail)).toEqual(definition);
  });

  test('is missed where there is neither', async () => {
    expect((await failureOfLater(readDefinition(await host(), mail))).reason).toBe('not-found');
  });
});
