import type { Lab } from '../lab/lab.ts';
import { installGreeter, visitDuring } from '../ports/greeter.ts';

const TARGETS = ['127.0.0.1:2525', '::1:2525'];

/** Medians of what clients of a held port see, in seconds. */
export interface Interruptions {
  /** Of `machinectl stop` and `start`. */
  plain: number;
  /** Of a switch to another generation with Strategy=restart. */
  restart: number;
  /** Of one with Strategy=blue-green. */
  blueGreen: number;
  /** How long a preflight takes, all of it before the guest is touched. */
  preflight: number;
}

const median = (values: number[]): number =>
  [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? NaN;

/**
 * How long no client of a guest gets a greeting while it is stopped and started, and while it is switched: a client
 * measures all of it from its last greeting to its next one, and connects every 20 ms. The kinds come in turn.
 */
export async function measureInterruptions(lab: Lab, tar: string, rounds: number): Promise<Interruptions> {
  const guestree = async (...args: string[]): Promise<void> => {
    await lab.run(['guestree', ...args], { timeout: 300_000 });
  };
  await guestree('create', 'greeter', '--from', tar, '--listen', 'tcp:2525:25', '--start');
  await installGreeter(lab, 'greeter', 25);
  await guestree('install', 'greeter', 'ed');
  const definition = await lab.readFile('/etc/guestree/greeter.guest');
  const gaps = { plain: [] as number[], restart: [] as number[], blueGreen: [] as number[] };
  const seen = async (happen: () => Promise<void>): Promise<number> => {
    const { gap, early, refused } = await visitDuring(lab, TARGETS, happen);
    if (early > 0)
      throw new Error(`${early} connections were broken before the greeting, ${refused} refused`);
    return gap / 1000;
  };
  const stopAndStart =
    'machinectl stop greeter; while machinectl show greeter >/dev/null 2>&1; do sleep 0.02; done; machinectl start greeter';
  for (let round = 0; round < rounds; round++) {
    gaps.plain.push(
      await seen(async () => {
        await lab.run(['sh', '-c', stopAndStart]);
        await lab.run(['systemctl', 'start', 'systemd-nspawn@greeter', 'guestree-ports@greeter'], {
          timeout: 120_000,
        });
      }),
    );
    await lab.writeFile('/etc/guestree/greeter.guest', definition);
    gaps.restart.push(await seen(() => guestree('rollback', 'greeter')));
    await lab.writeFile(
      '/etc/guestree/greeter.guest',
      `${definition}[Switch]\nStrategy=blue-green\nSharedVar=yes\n`,
    );
    gaps.blueGreen.push(await seen(() => guestree('rollback', 'greeter')));
  }
  await lab.writeFile('/etc/guestree/greeter.guest', definition);
  const preflight = await measurePreflight(lab);
  await guestree('remove', 'greeter', '--yes');
  return {
    plain: median(gaps.plain),
    restart: median(gaps.restart),
    blueGreen: median(gaps.blueGreen),
    preflight,
  };
}

/** From the guest's own record of a switch. */
async function measurePreflight(lab: Lab): Promise<number> {
  await lab.run(['guestree', 'uninstall', 'greeter', 'ed'], { timeout: 300_000 });
  const { stdout } = await lab.run(['guestree', 'history', 'greeter', '--json']);
  const { generations } = JSON.parse(stdout) as {
    generations: { switches: { preflight?: { milliseconds: number } }[] }[];
  };
  const milliseconds = generations[0]?.switches.at(-1)?.preflight?.milliseconds;
  if (milliseconds === undefined) throw new Error('the last switch had no preflight');
  return milliseconds / 1000;
}
