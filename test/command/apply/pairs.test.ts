import { mkdir, readdir, symlink } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { placesOf, type Effects } from '../../../src/apply/effects.ts';
import { claimPair, readPair, releasePair } from '../../../src/apply/pairs.ts';
import { parseGuestName, type GuestName } from '../../../src/model/names.ts';
import { firstChoice } from '../../../src/model/pair.ts';
import { pairsPath } from '../../../src/model/paths.ts';
import { effectsIn } from '../../unit/apply/effects.ts';
import { temporaryDirectory } from '../../unit/directory.ts';

async function host(...guests: GuestName[]): Promise<Effects> {
  const directory = await temporaryDirectory();
  const effects = effectsIn(directory);
  effects.paths.locks = `${directory}/lock`;
  for (const guest of guests) await mkdir(placesOf(effects, guest).root, { recursive: true });
  return effects;
}

const mail = parseGuestName('mail');
const web = parseGuestName('web');

/** Two names whose search begins at the same place. */
function rivals(): [GuestName, GuestName] {
  const seen = new Map<number, GuestName>();
  for (let index = 0; ; index++) {
    const name = parseGuestName(`guest-${index}`);
    const other = seen.get(firstChoice(name));
    if (other !== undefined) return [other, name];
    seen.set(firstChoice(name), name);
  }
}

describe('the addresses of a guest', () => {
  test('stay the same for its life, and are free afterwards', async () => {
    const effects = await host(mail, web);
    expect(await readPair(effects, mail)).toBeUndefined();
    const pair = await claimPair(effects, mail);
    expect(await claimPair(effects, mail)).toEqual(pair);
    expect(await readPair(effects, mail)).toEqual(pair);
    expect(await claimPair(effects, web)).not.toEqual(pair);
    await releasePair(effects, mail);
    expect(await readPair(effects, mail)).toBeUndefined();
    expect(await readdir(pairsPath(effects.paths))).toHaveLength(1);
  });

  test('are different for guests that begin to search at the same place, also at the same time', async () => {
    const [one, other] = rivals();
    const effects = await host(one, other);
    const [first, second] = await Promise.all([claimPair(effects, one), claimPair(effects, other)]);
    expect(first).not.toEqual(second);
  });

  test('of a guest that was never made whole are taken over', async () => {
    const [one, other] = rivals();
    const effects = await host(one);
    await mkdir(pairsPath(effects.paths));
    await symlink(other, `${pairsPath(effects.paths)}/${firstChoice(one)}`);
    expect(await claimPair(effects, one)).toEqual({ number: firstChoice(one) });
    expect(await readPair(effects, other)).toBeUndefined();
  });
});
