// Closes a test run with one plain line, and fails if anything was skipped: node summary.mjs REPORT.json
import { readFileSync } from 'node:fs';

const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
  readFileSync(process.argv[2], 'utf8'),
);
const skipped = numPendingTests + numTodoTests;
console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${skipped} skipped`);
if (skipped > 0) {
  console.error('A skipped test is a failure: a ring that cannot run must say so by failing.');
  process.exitCode = 1;
}
