import path from 'node:path';
import { build } from 'esbuild';
import { hostAddress, sendMail } from '../mail/mail.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { measureInterruptions } from './switches.ts';
import { measureUpgrades } from './upgrades.ts';

/**
 * Ratios, each against a baseline that is measured in the same run and on the same lab. Every figure is the median of
 * several runs, A and B in turn. `reach` is what the project promises; a miss makes the bench fail.
 */
interface Figure {
  name: string;
  a: number;
  b: number;
  unit: string;
  reach: number;
}

const STATE = '/sysroot/ostree/guestree';
const PLAIN = '/var/tmp/plain';
const figures: Figure[] = [];

const median = (values: number[]): number =>
  [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? NaN;

function record(name: string, a: number, b: number, unit: string, reach: number): void {
  figures.push({ name, a, b, unit, reach });
  const ratio = a / b;
  const verdict = ratio <= reach ? 'reached' : 'MISSED';
  console.log(
    `${name.padEnd(62)} ${a.toFixed(2)} / ${b.toFixed(2)} ${unit} = ${ratio.toFixed(3)} (≤ ${reach}: ${verdict})`,
  );
}

/** Seconds that a command takes inside the lab, measured there. */
async function time(lab: Lab, argv: readonly string[]): Promise<number> {
  const script =
    'a=$(date +%s%N); "$@" >/dev/null 2>/var/tmp/err || { cat /var/tmp/err >&2; exit 1; }; b=$(date +%s%N); echo $((b - a))';
  const { stdout } = await lab.run(['sh', '-c', script, 'sh', ...argv], { timeout: 600_000 });
  return Number(stdout.trim()) / 1e9;
}

/** Seconds of each step of a command, from the moments at which its progress lines appear. */
async function timeSteps(lab: Lab, argv: readonly string[]): Promise<Map<string, number>> {
  const script = '"$@" 2>&1 | while IFS= read -r line; do echo "$(date +%s%N) $line"; done; date +%s%N';
  const { stdout } = await lab.run(['sh', '-c', script, 'sh', ...argv], { timeout: 600_000 });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => ({ at: Number(line.split(' ')[0]) / 1e9, text: line }));
  const steps = new Map<string, number>();
  for (const [index, { at, text }] of lines.entries()) {
    const next = lines[index + 1];
    const sentence = /\[\d+\/\d+\] \S+ (\w+)/.exec(text)?.[1];
    if (sentence !== undefined && next !== undefined) steps.set(sentence, next.at - at);
  }
  return steps;
}

async function disk(lab: Lab, path: string): Promise<number> {
  await lab.run(['sync']);
  return Number((await lab.run(['du', '-sk', path])).stdout.split('\t')[0]) / 1024;
}

async function repeat(count: number, work: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) values.push(await work());
  return values;
}

async function benchDisk(lab: Lab, tar: string): Promise<void> {
  const empty = await disk(lab, STATE).catch(() => 0);
  await lab.run(['guestree', 'create', 'one', '--from', tar], { timeout: 300_000 });
  const first = await disk(lab, STATE);
  await lab.run(['guestree', 'create', 'two', '--from', tar], { timeout: 300_000 });
  const second = await disk(lab, STATE);
  record('disk: a second guest of the same base ÷ the first', second - first, first - empty, 'MiB', 0.05);
  const tree = await disk(lab, `${STATE}/guests/one/current/root/`);
  await lab.run(['guestree', 'install', 'one', 'ed', '--no-switch'], { timeout: 300_000 });
  await lab.run(['rm', '-rf', `${STATE}/cache`]);
  const more = await disk(lab, STATE);
  record('disk: one more generation ÷ its tree', more - second, tree, 'MiB', 0.03);
}

/** A root file system with the packages that a guest's layering downloaded, ready for apt-get in a plain chroot. */
async function makeChroot(lab: Lab, tar: string, cache: string): Promise<void> {
  const script = [
    `rm -rf ${PLAIN} && mkdir ${PLAIN} && tar -xf ${tar.slice(4)} -C ${PLAIN}`,
    `cp -a ${cache}/lists/*/. ${PLAIN}/var/lib/apt/lists/`,
    `cp -a ${cache}/apt/archives/*.deb ${PLAIN}/var/cache/apt/archives/`,
    `printf '127.0.0.1 localhost\\n127.0.1.1 plain.localdomain plain\\n' > ${PLAIN}/etc/hosts`,
    `mount -t proc none ${PLAIN}/proc && mount --bind /dev ${PLAIN}/dev`,
  ];
  await lab.run(['sh', '-ec', script.join('\n')], { timeout: 300_000 });
}

async function benchLayering(lab: Lab, tar: string): Promise<void> {
  const figures = {
    ours: [] as number[],
    theirs: [] as number[],
    deploys: [] as number[],
    checkouts: [] as number[],
  };
  const chroot = [
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'unshare',
    '--uts',
    'sh',
    '-c',
    `hostname plain; exec chroot ${PLAIN} apt-get install -y postfix`,
  ];
  for (let round = 0; round < 4; round++) {
    const guest = `layers${round}`;
    await lab.run(['guestree', 'create', guest, '--from', tar], { timeout: 300_000 });
    if (round > 0) await lab.run(['cp', '-a', `${STATE}/cache/layers0`, `${STATE}/cache/${guest}`]);
    // A deploy ends with a sync, and what the round before left to be written is not its own.
    await lab.run(['sync']);
    const steps = await timeSteps(lab, ['guestree', 'install', guest, 'postfix', '--no-switch']);
    // The first round fills the caches.
    if (round === 0) continue;
    await makeChroot(lab, tar, `${STATE}/cache/layers0`);
    figures.ours.push(steps.get('Build') ?? NaN);
    figures.theirs.push(await time(lab, chroot));
    await lab.run(['umount', `${PLAIN}/dev`, `${PLAIN}/proc`]);
    figures.deploys.push(steps.get('Deploy') ?? NaN);
    const out = `${STATE}/scratch/out`;
    figures.checkouts.push(
      await time(lab, ['ostree', 'checkout', '-H', `--repo=${STATE}/pool`, `guest/${guest}/2/tree`, out]),
    );
    await lab.run(['rm', '-rf', out]);
  }
  record(
    'layering postfix ÷ apt-get install in a chroot',
    median(figures.ours),
    median(figures.theirs),
    's',
    1.25,
  );
  record(
    'deploying a generation ÷ ostree checkout -H',
    median(figures.deploys),
    median(figures.checkouts),
    's',
    2,
  );
  for (let round = 0; round < 4; round++) await lab.run(['guestree', 'remove', `layers${round}`, '--yes']);
}

async function benchStart(lab: Lab): Promise<void> {
  const run = async (argv: readonly string[]): Promise<number> =>
    median(await repeat(11, () => time(lab, argv)));
  record(
    'guestree --version ÷ node -e 0',
    await run(['guestree', '--version']),
    await run(['node', '-e', '0']),
    's',
    1.6,
  );
}

async function benchSwitch(lab: Lab, tar: string): Promise<void> {
  await lab.run(
    ['guestree', 'create', 'mail', '--from', tar, '--install', 'postfix', '--port', 'tcp:25:25', '--start'],
    { timeout: 300_000 },
  );
  await lab.run(['guestree', 'install', 'mail', 'ed'], { timeout: 300_000 });
  await sendMail(lab, await hostAddress(lab), 25, 'root@localhost', 'ready');
  const switches: number[] = [];
  const restarts: number[] = [];
  const wait =
    'machinectl poweroff mail; while systemctl is-active --quiet systemd-nspawn@mail; do sleep 0.02; done; machinectl start mail';
  for (let round = 0; round < 7; round++) {
    const { stdout } = await lab.run(['guestree', 'rollback', 'mail']);
    switches.push(Number(/unavailable for ([0-9.]+) s/.exec(stdout)?.[1]));
    restarts.push(await time(lab, ['sh', '-c', wait]));
  }
  record('downtime of a switch ÷ machinectl stop + start', median(switches), median(restarts), 's', 1.1);
}

async function benchInterruptions(lab: Lab, tar: string): Promise<void> {
  const { plain, restart, blueGreen, preflight } = await measureInterruptions(lab, tar, 5);
  record('without a greeting: switch by restart ÷ machinectl stop + start', restart, plain, 's', 1.05);
  record('without a greeting: blue-green switch ÷ switch by restart', blueGreen, restart, 's', 0.05);
  console.log(`a preflight takes ${preflight.toFixed(2)} s, before the guest is touched`);
}

async function benchUpgrades(lab: Lab, tar: string): Promise<void> {
  const { longest, plain } = await measureUpgrades(lab, tar, 20);
  record('longest wait in 20 upgrades of postfix ÷ machinectl stop + start', longest, plain, 's', 1.1);
}

/** Against a tenth of an upgrade that finds nothing, or five `ostree admin status`, whichever is more. */
async function benchGuard(lab: Lab, tar: string): Promise<void> {
  const bundle = '/var/tmp/fingerprints.mjs';
  const built = await build({
    entryPoints: [path.join(import.meta.dirname, 'fingerprints.ts')],
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', write: false },
  });
  await lab.writeFile(bundle, built.outputFiles[0]?.text ?? '');
  const guest = 'guarded';
  await lab.run(['guestree', 'create', guest, '--from', tar], { timeout: 300_000 });
  await lab.run(['guestree', 'install', guest, 'ed', '--no-switch'], { timeout: 300_000 });
  const upgrades = await repeat(3, async () => {
    const begin = performance.now();
    const { exitCode } = await lab.run(['guestree', 'upgrade', guest], { check: false, timeout: 300_000 });
    if (exitCode !== 77) throw new Error(`the upgrade was to find nothing, and ended with ${exitCode}`);
    return (performance.now() - begin) / 1000;
  });
  const status = median(await repeat(7, () => time(lab, ['ostree', 'admin', 'status'])));
  const guard = Number((await lab.run(['node', bundle])).stdout) / 1000;
  record(
    'guard ÷ max(0.1 upgrade, 5 × ostree admin status)',
    guard,
    Math.max(0.1 * median(upgrades), 5 * status),
    's',
    1,
  );
  await lab.run(['guestree', 'remove', guest, '--yes']);
}

async function benchMany(lab: Lab, tar: string): Promise<void> {
  const status = ['guestree', 'status', '--json'];
  for (const name of ['two', 'mail']) await lab.run(['guestree', 'remove', name, '--yes'], { check: false });
  const one = median(await repeat(7, () => time(lab, status)));
  for (let i = 2; i <= 50; i++)
    await lab.run(['guestree', 'create', `g${i}`, '--from', tar], { timeout: 300_000 });
  const fifty = median(await repeat(7, () => time(lab, status)));
  record('status --json with 50 guests ÷ with 1', fifty, one, 's', 3);
}

const BENCHES = {
  start: benchStart,
  disk: benchDisk,
  layering: benchLayering,
  guard: benchGuard,
  switch: benchSwitch,
  interruptions: benchInterruptions,
  upgrades: benchUpgrades,
  many: benchMany,
};

/** `npm run bench` measures everything, `npm run bench -- disk layering` those two. */
const wanted = process.argv.slice(2);
const unknown = wanted.filter((each) => !(each in BENCHES));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}.`);
  process.exit(2);
}

const lab = await startLab({ name: 'bench', bases: ['trixie'] });
try {
  await lab.installGuestree();
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (wanted.length === 0 || wanted.includes(name)) await bench(lab, `tar:${lab.baseTar('trixie')}`);
  }
} finally {
  await lab.dispose();
}
const missed = figures.filter((each) => !(each.a / each.b <= each.reach));
console.log(
  missed.length === 0 ? 'Every ratio is reached.' : `Missed: ${missed.map((each) => each.name).join('; ')}`,
);
process.exitCode = missed.length === 0 ? 0 : 1;
