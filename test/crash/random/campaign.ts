import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../unit/formats/random.ts';
import type { HostFingerprint } from '../../lab/fingerprint.ts';
import { startLab, type Lab, type Output } from '../../lab/lab.ts';
import { runAndCut, type Cut, type Kind } from './cut.ts';
import { bringScripts, readFacts, STATE, type Facts } from './facts.ts';
import { findForbidden, findLostEtc, findUnsound } from './judge.ts';
import { chooseOperation, type Operation } from './operations.ts';
import { Supply } from './supply.ts';
import { Tally } from './tally.ts';

export interface CampaignOptions {
  seed: number;
  /** Counted cuts after which it ends. */
  count: number;
  /** Milliseconds after which no further round begins. */
  budget: number;
  suite: string;
  sysrootReadOnly: boolean;
  /** Guestree's bundle; dist/guestree.js if left out. */
  bundle?: string;
  /** Gets a line about each round. */
  tell: (line: string) => void;
}

/** A promise that did not hold, with everything that was seen. */
class Broken extends Error {
  /** What had been cut until then. */
  tally: Tally | undefined;
}

/** Milliseconds that operations take before any was measured. */
const FIRST_GUESS = 3000;
/** Cuts between two checks of all repositories. */
const FSCK_EVERY = 25;

/** Cuts guestree off again and again on one host with one or two guests, and checks everything after each cut. */
export async function runCampaign(options: CampaignOptions): Promise<Tally> {
  const { suite, sysrootReadOnly, bundle } = options;
  const lab = await startLab({ suite, sysrootReadOnly, bases: [suite], name: 'crash' });
  try {
    await lab.installGuestree(bundle);
    return await new Campaign(lab, options).run();
  } finally {
    await lab.dispose();
  }
}

class Campaign {
  readonly #lab: Lab;
  readonly #options: CampaignOptions;
  readonly #supply: Supply;
  readonly #tally = new Tally();
  /** Milliseconds that an operation takes, a running estimate. */
  readonly #durations = new Map<string, number>();
  #facts: Facts | undefined;
  #fingerprint: HostFingerprint | undefined;
  #log: string[] = [];

  constructor(lab: Lab, options: CampaignOptions) {
    this.#lab = lab;
    this.#options = options;
    this.#supply = new Supply(lab);
  }

  async run(): Promise<Tally> {
    const started = Date.now();
    await this.#prepare();
    let checked = 0;
    for (let round = 1; this.#tally.counted < this.#options.count; round++) {
      if (Date.now() - started > this.#options.budget) break;
      this.#log = [];
      try {
        await this.#round(round);
        if (this.#tally.counted >= checked + FSCK_EVERY) {
          checked = this.#tally.counted;
          await this.#checkRepositories();
        }
      } catch (error) {
        const text =
          error instanceof Error ? (error instanceof Broken ? error.message : (error.stack ?? '')) : '';
        const broken = new Broken(
          `round ${round} on ${this.#options.suite}:\n${this.#log.join('\n')}\n${text}`,
          {
            cause: error,
          },
        );
        broken.tally = this.#tally;
        throw broken;
      }
    }
    await this.#checkRepositories();
    return this.#tally;
  }

  async #prepare(): Promise<void> {
    const lab = this.#lab;
    await bringScripts(lab);
    await this.#supply.open();
    await this.#succeed(['create', 'box', ...this.#supply.source, '--start']);
    await lab.run(['systemctl', 'enable', 'systemd-nspawn@box.service']);
    await this.#putToken('box');
    await lab.stageHostUpdate();
    this.#fingerprint = await lab.hostFingerprint();
    this.#facts = await this.#sound('at the start');
  }

  /** One operation, one cut, and everything that has to hold afterwards. */
  async #round(round: number): Promise<void> {
    const random = new Random((this.#options.seed * 7919 + round) | 0);
    const before = this.#known();
    const operation = await chooseOperation(before, this.#supply, random);
    const kind = pickKind(random, operation);
    const share = random.below(1000) / 1000;
    const mending = random.below(100);
    const again = random.below(1000) / 1000;
    const stamp = `round ${round}`;
    if (operation.guest !== undefined && before.guests[operation.guest] !== undefined)
      await this.#putStamp(operation.guest, stamp);

    const estimate = this.#durations.get(operation.name) ?? FIRST_GUESS;
    const seconds = (share * estimate * 1.05) / 1000;
    this.#note(
      `guestree ${operation.args.join(' ')}; ${kind} after ${seconds.toFixed(2)} s of ${(estimate / 1000).toFixed(2)} s`,
    );
    const cut = await runAndCut(this.#lab, `crash-cut-${round}`, kind, seconds, operation.args);
    this.#note(`cut ${cut.when}: ${cut.step}\n${indent(cut.stderr)}`);
    this.#count(operation.name, kind, cut);
    this.#options.tell(
      `${String(this.#tally.counted).padStart(4)} ${operation.name}${operation.guest === undefined ? '' : ` ${operation.guest}`} × ${kind}, ${cut.when}: ${cut.step}`,
    );
    if (/this is a bug/.test(cut.stderr)) throw new Broken('guestree says that it has a bug');
    if (![undefined, 0, 77].includes(cut.exitCode))
      throw new Broken(`it failed with exit code ${cut.exitCode ?? ''}`);

    const rebooted = kind === 'power';
    if (rebooted) await this.#powerOn();
    if (cut.when !== 'within' && !rebooted) {
      await this.#passOver(operation, before, cut);
      return;
    }
    await this.#mend(round, operation, kind, cut, mending, again);
    const facts = await this.#sound('after recovery');
    require('after recovery', [
      ...findForbidden(operation, before, facts, rebooted),
      ...findLostEtc(operation, before, facts, stamp),
      ...(await this.#hostChanged()),
      // Who kills only the process in front has not stopped anything.
      ...(kind === 'outer' && cut.when === 'within' ? this.#unfinished(operation, before, facts) : []),
    ]);
    await this.#repeat(operation, before, facts, stamp, rebooted);
    await this.#tidy(before);
  }

  /** A kill that came too early or too late does not count: nothing may be left all the same. */
  async #passOver(operation: Operation, before: Facts, cut: Cut): Promise<void> {
    const facts = await this.#sound('without recovery');
    require('without recovery', [
      ...findForbidden(operation, before, facts, false),
      ...(cut.when === 'after' ? this.#unfinished(operation, before, facts) : []),
      ...(await this.#hostChanged()),
    ]);
    await this.#tidy(before);
  }

  #count(name: string, kind: string, cut: Cut): void {
    if (cut.when === 'within') this.#tally.cut(name, kind, cut.step);
    else this.#tally[cut.when] += 1;
  }

  async #powerOn(): Promise<void> {
    await this.#lab.boot();
    // /run is gone, and with it what was staged.
    if (this.#fingerprint !== undefined) this.#fingerprint = { ...this.#fingerprint, staged: null };
  }

  /** Recovery in one of the ways in which it happens. */
  async #mend(
    round: number,
    operation: Operation,
    kind: Kind,
    cut: Cut,
    how: number,
    share: number,
  ): Promise<void> {
    if (kind === 'outer') {
      const { exitCode, stderr } = await this.#guestree(['recover']);
      if (exitCode !== 0 && exitCode !== 6)
        throw new Broken(`guestree recover: exit code ${exitCode}\n${stderr}`);
      await this.#waitForProcesses(round);
      this.#tally.recovered('itself: it went on without its parent');
    }
    if (kind === 'power' && how < 50) {
      // Ordered before the guests, and wanted by multi-user.target, which has been reached.
      await this.#lab.run(['systemctl', 'start', 'guestree-recover.service'], { timeout: 120_000 });
      this.#tally.recovered('the unit at boot');
      return;
    }
    if (kind !== 'outer' && how >= 50 && how < 75) {
      const estimate = this.#durations.get('recover') ?? 1000;
      const second = await runAndCut(
        this.#lab,
        `crash-cut-${round}-recover`,
        'all',
        (share * estimate) / 1000,
        ['recover'],
      );
      this.#note(`recover cut ${second.when}\n${indent(second.stderr)}`);
      this.#count('recover', 'all', second);
    } else if (kind !== 'outer' && how >= 75 && how < 85) {
      await this.#lab.run(['systemctl', 'restart', 'guestree-recover.service'], { timeout: 120_000 });
      this.#tally.recovered('the unit, restarted');
      return;
    } else if (how >= 85 && operation.guest === 'box' && !operation.mayStop) {
      await this.#lab.run(['machinectl', 'start', 'box'], { timeout: 120_000, check: false });
      this.#note('machinectl start box');
      this.#tally.recovered('machinectl start, then recover');
    }
    const begun = Date.now();
    this.#note(indent(await this.#succeed(['recover'])));
    this.#durations.set('recover', Date.now() - begun);
    this.#tally.recovered('guestree recover');
  }

  /** The same operation once more, to its end. */
  async #repeat(
    operation: Operation,
    before: Facts,
    found: Facts,
    stamp: string,
    rebooted: boolean,
  ): Promise<void> {
    const begun = Date.now();
    const { exitCode, stdout, stderr } = await this.#guestree(operation.args);
    const took = Date.now() - begun;
    this.#note(`again: exit code ${exitCode}\n${indent(stdout + stderr)}`);
    if (!operation.codes.includes(exitCode))
      throw new Broken(`the second try failed with exit code ${exitCode}`);
    if (exitCode === 0) this.#durations.set(operation.name, this.#smoothed(operation.name, took));
    const facts = await this.#sound('after the second try');
    require('after the second try', [
      ...findForbidden(operation, before, facts, rebooted).filter(
        (text) => !(rebooted && /does not run any more/.test(text)),
      ),
      ...findForbidden(operation, found, facts, false),
      ...findLostEtc(operation, before, facts, stamp),
      ...this.#unfinished(operation, before, facts),
      ...(await this.#hostChanged()),
    ]);
  }

  #smoothed(name: string, took: number): number {
    const old = this.#durations.get(name);
    return old === undefined ? took : old * 0.7 + took * 0.3;
  }

  #unfinished(operation: Operation, before: Facts, after: Facts): string[] {
    const names = operation.guest === undefined ? Object.keys(before.guests) : [operation.guest];
    return names.flatMap((name) =>
      operation.unfinished(before.guests[name], after.guests[name]).map((text) => `${name}: ${text}`),
    );
  }

  /** Makes the host ready for the next round: new guests get data, the host gets an update again. */
  async #tidy(before: Facts): Promise<void> {
    const lab = this.#lab;
    if (this.#fingerprint?.staged === null) {
      await lab.stageHostUpdate();
      this.#fingerprint = await lab.hostFingerprint();
    }
    const spare = this.#known().guests['two'];
    if (spare === undefined || before.guests['two'] !== undefined) return;
    await this.#putToken('two');
    await this.#sound('with new data');
  }

  /** Facts with nothing wrong in them; what ends by itself shortly after a command gets the time for it. */
  async #sound(when: string): Promise<Facts> {
    let facts = await readFacts(this.#lab);
    for (let tries = 0; findUnsound(facts).length > 0 && tries < 20; tries++) {
      await sleep(250);
      facts = await readFacts(this.#lab);
    }
    require(when, findUnsound(facts));
    this.#facts = facts;
    return facts;
  }

  #known(): Facts {
    if (this.#facts === undefined) throw new Error('nothing was read yet');
    return this.#facts;
  }

  async #hostChanged(): Promise<string[]> {
    const now = await this.#lab.hostFingerprint();
    return isDeepStrictEqual(now, this.#fingerprint)
      ? []
      : [`the host changed: ${JSON.stringify(this.#fingerprint)} became ${JSON.stringify(now)}`];
  }

  async #waitForProcesses(round: number): Promise<void> {
    const group = `/sys/fs/cgroup/system.slice/crash-cut-${round}.service/cgroup.procs`;
    const wait =
      'n=0; while [ -n "$(cat "$1" 2>/dev/null)" ] && [ $n -lt 1200 ]; do n=$((n+1)); sleep 0.1; done';
    await this.#lab.run(['sh', '-c', wait, 'wait', group], { timeout: 180_000 });
  }

  async #checkRepositories(): Promise<void> {
    const names = Object.keys(this.#known().guests);
    const repos = [
      `${STATE}/pool`,
      ...names.map((name) => `${STATE}/guests/${name}/sysroot/ostree/repo`),
      '/ostree/repo',
    ];
    for (const repo of repos)
      await this.#lab.run(['ostree', 'fsck', '--quiet', `--repo=${repo}`], { timeout: 300_000 });
    this.#options.tell(`     ostree fsck of ${repos.length} repositories: clean`);
  }

  async #putToken(name: string): Promise<void> {
    const directory = `/run/guestree/state/guests/${name}/sysroot/ostree/deploy/${name}/var/lib/crash`;
    const token = `data of ${name}, ${this.#tally.counted}`;
    await this.#lab.run(['sh', '-c', 'mkdir -p "$1" && echo "$2" >"$1/token"', 'put', directory, token]);
  }

  async #putStamp(name: string, stamp: string): Promise<void> {
    const file = `/run/guestree/state/guests/${name}/generations/$(basename "$(readlink ${STATE}/guests/${name}/current)")/root`;
    const script = `cd "$(readlink "${file}" | sed "s:^${STATE}:/run/guestree/state:")" && echo "$1" >etc/crash-stamp`;
    await this.#lab.run(['sh', '-c', script, 'put', stamp]);
  }

  async #guestree(args: readonly string[]): Promise<Output> {
    const output = await this.#lab.run(['guestree', ...args], { check: false, timeout: 300_000 });
    if (/this is a bug/.test(output.stderr))
      throw new Broken(`guestree ${args.join(' ')}:\n${output.stderr}`);
    return output;
  }

  async #succeed(args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#guestree(args);
    if (exitCode !== 0) throw new Broken(`guestree ${args.join(' ')}: exit code ${exitCode}\n${stderr}`);
    return stdout + stderr;
  }

  #note(text: string): void {
    this.#log.push(text);
  }
}

function require(when: string, complaints: readonly string[]): void {
  if (complaints.length > 0)
    throw new Broken(`${when}:\n${complaints.map((text) => `  - ${text}\n`).join('')}`);
}

/** One time in six the power; else one of the processes or all of them. */
function pickKind(random: Random, operation: Operation): Kind {
  if (random.below(6) === 0) return 'power';
  // Pinning is over before its parent could be killed alone.
  return random.pick(
    operation.name.endsWith('pin')
      ? (['inner', 'all'] as const)
      : (['inner', 'inner', 'all', 'all', 'outer'] as const),
  );
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ');
}
