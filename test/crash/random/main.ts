import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { hostOf, randomSeed, repeatLine } from './settings.ts';
import { Tally } from './tally.ts';

/**
 * The random crash test, from the command line:
 * `npm run test:crash -- --count 300 [--seed S] [--minutes M] [--labs 2] [--suite bookworm|trixie] [--bundle FILE]`.
 * With the seed that a run prints the same operations and moments are chosen again. Each further lab has the next seed.
 */
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: '600' },
    labs: { type: 'string', default: '1' },
    suite: { type: 'string' },
    bundle: { type: 'string' },
  },
});

function whole(option: 'count' | 'minutes' | 'labs' | 'seed', text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`--${option} takes a number, not "${text}"`);
  return Number(text);
}

const labs = whole('labs', values.labs);
const count = Math.ceil(whole('count', values.count) / labs);
const budget = whole('minutes', values.minutes) * 60_000;
const first = values.seed === undefined ? randomSeed() : whole('seed', values.seed);
const seeds = Array.from({ length: labs }, (_, index) => first + index);
console.log(
  `random crash test, again with: ${repeatLine(first, count * labs)}${labs > 1 ? ` --labs ${labs}` : ''}`,
);

const started = Date.now();
const results = await Promise.allSettled(
  seeds.map((seed) => {
    const host = { ...hostOf(seed), ...(values.suite === undefined ? {} : { suite: values.suite }) };
    const tell = (line: string): void => {
      console.log(
        `${labs > 1 ? `${seed}: ` : ''}${((Date.now() - started) / 1000).toFixed(0).padStart(5)} s ${line}`,
      );
    };
    tell(`seed ${seed}: host ${host.suite}, /sysroot ${host.sysrootReadOnly ? 'read-only' : 'writable'}`);
    return runCampaign({
      seed,
      count,
      budget,
      ...host,
      ...(values.bundle === undefined ? {} : { bundle: values.bundle }),
      tell,
    });
  }),
);

const total = new Tally();
for (const [index, result] of results.entries()) {
  if (result.status === 'fulfilled') total.add(result.value);
  else {
    const { message, tally } = result.reason as Error & { tally?: Tally };
    if (tally !== undefined) total.add(tally);
    console.error(`\nBROKEN: ${message}\nAgain with: ${repeatLine(seeds[index] ?? first, count)}`);
    process.exitCode = 1;
  }
}
console.log(`\n${total.render()}${((Date.now() - started) / 60_000).toFixed(1)} minutes`);
if (process.exitCode === undefined && total.counted < count * labs)
  console.log(`The time was over before all ${count * labs} cuts were made.`);
