declare const __VERSION__: string | undefined;

/** Process edge. The program itself is loaded only when there is more to do than to say a version. */
const version = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source';

async function run(): Promise<void> {
  // A reader that goes away (`| head`, a closed terminal) must not end the program in the middle of a step.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  // A reader that goes away (`| head`, a closed terminal) must not end the program in the middle of a step.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const { main } = await import('./cli/program.ts');
  process.exitCode = await main(process.argv, process.env, version);
}

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.write(`guestree ${version}\n`);
} else {
  void run();
}
