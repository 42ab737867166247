import { takeFingerprint } from '../../src/guard/fingerprint.ts';

/** Bundled and run on a lab host: milliseconds that the guard costs an operation, a fingerprint before and one after. */
const rounds = 15;
const times: number[] = [];
for (let round = 0; round < rounds; round++) {
  const begin = performance.now();
  await takeFingerprint();
  await takeFingerprint();
  times.push(performance.now() - begin);
}
console.log(times.sort((a, b) => a - b)[Math.floor(rounds / 2)]);
