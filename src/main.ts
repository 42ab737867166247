import { main } from './cli/program.ts';

declare const __VERSION__: string | undefined;

/** Process edge. */
const version = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source';

async function run(): Promise<void> {
  // A reader that goes away (`| head`, a closed terminal) must not end the program in the middle of a step.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.exitCode = await main(process.argv, process.env, version);
}

void run();
