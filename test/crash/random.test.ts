import { expect, test } from 'vitest';
import { runCampaign } from './random/campaign.ts';
import { hostOf, randomSeed, repeatLine } from './random/settings.ts';

/** Set to repeat a run of this test that failed. */
const GIVEN = process.env['CRASH_SEED'];
const COUNT = 60;
/** Milliseconds after which no further round begins, so that the whole run of tests stays short. */
const BUDGET = 180_000;

test('killed and cut off at random moments: old or new, and nothing left', async () => {
  const seed = GIVEN === undefined ? randomSeed() : Number(GIVEN);
  const host = hostOf(seed);
  console.log(`random crash test on ${host.suite}; again with: ${repeatLine(seed, COUNT)}`);
  const tally = await runCampaign({ seed, count: COUNT, budget: BUDGET, ...host, tell: () => undefined });
  console.log(tally.render());
  expect(tally.counted).toBeGreaterThan(0);
});
