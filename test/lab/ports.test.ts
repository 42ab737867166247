import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestree, markerBase, serveMarker, succeed } from '../crash/boundaries.ts';
import { hostAddress } from '../mail/mail.ts';
import { ask, installGreeter, visitDuring, type Seen } from '../ports/greeter.ts';
import { startLab, type Lab } from './lab.ts';

const STATE = '/sysroot/ostree/guestree';

/** An older host as well, where there is time: `npm run test:long`. */
const SUITES = process.env['LONG_TESTS'] === undefined ? ['trixie'] : ['trixie', 'bookworm'];

/** Held ports: what a client sees of switches, and what is there before, between and after them. */
describe.each(SUITES)('on a %s host', (suite) => {
  let lab: Lab;
  let from: readonly string[];
  let targets: string[];
  let address: string;

  beforeAll(async () => {
    lab = await startLab({ suite, bases: [suite], name: `ports-${suite}` });
    await lab.installGuestree();
    await serveMarker(lab, ['1']);
    from = await markerBase(lab);
    address = await hostAddress(lab);
    targets = ['127.0.0.1:2525', '::1:2525', `${address}:2525`];
    await succeed(lab, ['create', 'mail', ...from, '--listen', 'tcp:2525:25', '--start']);
    await installGreeter(lab, 'mail', 25);
  });
  afterAll(async () => {
    await lab.dispose();
  });

  const happily = async (...args: string[]): Promise<void> => {
    await succeed(lab, args);
  };

  /** The guest's definition with another line. */
  const define = async (line: string): Promise<void> => {
    await lab.run(['sh', '-c', 'echo "$1" >>/etc/guestree/mail.guest', 'sh', line]);
  };

  function expectAllServed(seen: Seen): void {
    expect(seen, JSON.stringify(seen)).toMatchObject({ refused: 0, early: 0, late: 0, served: seen.total });
    expect(seen.total).toBeGreaterThan(50);
  }

  test('a port is open on IPv4, IPv6, loopback and not, and the guest sees the address of its link', async () => {
    for (const target of ['127.0.0.1', '::1', address]) {
      const [greeting, who] = await ask(lab, target, 2525, 'WHO');
      expect(greeting, target).toBe('220 mail');
      expect(who, target).toMatch(/^250 169\.254\.\d+\.\d+$/);
    }
    expect(await succeed(lab, ['status', 'mail'])).toMatch(/^ {2}Listens: +tcp:2525:25$/m);
  });

  test('no connection is refused or broken by switches and restarts of any kind', async () => {
    const seen = await visitDuring(lab, targets, async () => {
      await happily('install', 'mail', 'marker');
      await happily('rollback', 'mail');
      await happily('restart', 'mail');
      await happily('rollback', 'mail', '2');
      await happily('uninstall', 'mail', 'marker');
    });
    console.log(
      `${suite}: 5 switches, ${seen.total} connections, ${seen.refused} refused, ${seen.early} broken before the ` +
        `greeting, ${seen.late} later; longest wait ${(seen.longestWait / 1000).toFixed(2)} s`,
    );
    expectAllServed(seen);
  });

  test('a connection that is there when the switch begins ends by itself, within DrainSec=', async () => {
    await define('[Switch]\nDrainSec=10s');
    await happily('install', 'mail', 'marker');
    const slow = ask(lab, '127.0.0.1', 2525, 'SLOW');
    await new Promise((resolve) => {
      setTimeout(resolve, 1000);
    });
    await happily('restart', 'mail');
    expect(await slow).toEqual(['220 mail', '250 ok', '221 bye']);
    await lab.run(['sh', '-c', "sed -i '/Switch/d;/DrainSec/d' /etc/guestree/mail.guest"]);
  });

  test('a guest that takes longer than DrainSec= to greet still greets everybody', async () => {
    const delay = (script: string): Promise<void> => happily('exec', 'mail', '--', 'sh', '-c', script);
    await delay('echo 0.8 >/etc/greeter.delay');
    const seen = await visitDuring(lab, targets, async () => {
      await happily('restart', 'mail');
      await happily('rollback', 'mail');
    });
    await happily('rollback', 'mail');
    await delay('rm -f /etc/greeter.delay');
    expectAllServed(seen);
  });

  test('a port that the definition names later is there from the next generation on, and not before or after', async () => {
    await define('[Network]\nListen=tcp:127.0.0.1:2526:25 tcp:[::1]:2526:25');
    const seen = await visitDuring(lab, targets, () => happily('uninstall', 'mail', 'marker'));
    expectAllServed(seen);
    expect((await ask(lab, '127.0.0.1', 2526))[0]).toBe('220 mail');
    expect((await ask(lab, '::1', 2526))[0]).toBe('220 mail');
    expect(await ask(lab, address, 2526)).toEqual([]);
    expectAllServed(await visitDuring(lab, targets, () => happily('rollback', 'mail')));
    expect(await ask(lab, '127.0.0.1', 2526)).toEqual([]);
    await happily('rollback', 'mail');
    expect((await ask(lab, '127.0.0.1', 2526))[0]).toBe('220 mail');
  });

  test('a port that somebody else has is told before the guest is touched', async () => {
    await lab.run(['systemd-run', '--unit=squatter', 'nc', '-lk', '2530']);
    await define('Listen=tcp:2530:25');
    const seen = await visitDuring(lab, targets, async () => {
      const { exitCode, stderr } = await guestree(lab, ['install', 'mail', 'marker']);
      expect(exitCode, stderr).toBe(5);
      expect(stderr).toMatch(
        /port 2530 of the host cannot be opened: Address already in use\n.*sport = :2530/,
      );
    });
    expectAllServed(seen);
    await succeed(lab, ['create', 'other', ...from, '--network', 'none', '--listen', 'tcp:2530:25']);
    const { exitCode, stderr } = await guestree(lab, ['start', 'other']);
    expect(exitCode, stderr).toBe(5);
    expect(stderr).toContain('port 2530 of the host cannot be opened: Address already in use');
    await lab.run(['systemctl', 'stop', 'squatter']);
    await lab.run(['sh', '-c', "sed -i '/2530/d' /etc/guestree/mail.guest"]);
  });

  test('a switch whose new generation does not start gives clients the old one, with its ports', async () => {
    await define('Listen=tcp:2527:25');
    // The generation that could not have its port waits, with the package.
    await happily('uninstall', 'mail', 'marker', '--no-switch');
    const directories = (await lab.run(['ls', '-v', `${STATE}/guests/mail/generations`])).stdout
      .trim()
      .split('\n');
    const nspawn = `${STATE}/guests/mail/generations/${directories.at(-1) ?? ''}/mail.nspawn`;
    await lab.run(['sh', '-c', 'printf "[Files]\\nBind=/nowhere:/mnt\\n" >>"$1"', 'sh', nspawn]);
    const seen = await visitDuring(lab, targets, async () => {
      const { exitCode, stderr } = await guestree(lab, ['restart', 'mail']);
      expect(exitCode, stderr).toBe(9);
    });
    expectAllServed(seen);
    expect(await ask(lab, '127.0.0.1', 2527)).toEqual([]);
    await lab.run(['sh', '-c', "sed -i '/2527/d' /etc/guestree/mail.guest"]);
  });

  test('two guests have a link each, also one without another network, and the ports of one are not touched by the other', async () => {
    await happily('start', 'other');
    await installGreeter(lab, 'other', 25);
    const seen = await visitDuring(lab, targets, () => happily('restart', 'other'));
    expectAllServed(seen);
    expect((await ask(lab, '::1', 2530, 'WHO'))[0]).toBe('220 other');
    expect((await ask(lab, '127.0.0.1', 2525, 'WHO'))[0]).toBe('220 mail');
    const mine = (await ask(lab, '127.0.0.1', 2525, 'WHO'))[1];
    expect((await ask(lab, '127.0.0.1', 2530, 'WHO'))[1]).not.toBe(mine);
  });

  test.each([
    ['guestree stop', ['guestree', 'stop', 'mail']],
    ['machinectl poweroff', ['machinectl', 'poweroff', 'mail']],
    ['a crash', ['machinectl', 'kill', '--signal=SIGKILL', 'mail']],
  ])('a port is closed after %s, and open again after the start', async (_, argv) => {
    await lab.run(argv);
    // `inactive` or `failed`: a guest that is still `deactivating` cannot be started.
    const state =
      'systemctl show --property=ActiveState --value systemd-nspawn@mail guestree-listen-2525@mail.socket';
    await lab.run(['sh', '-c', `while ${state} | grep -Eq '^(active|.*activating)$'; do sleep 0.1; done`]);
    expect(await ask(lab, '127.0.0.1', 2525)).toEqual([]);
    await lab.run(['systemctl', 'reset-failed']);
    await lab.run(['machinectl', 'start', 'mail']);
    await lab.run(['systemctl', 'start', 'systemd-nspawn@mail.service', 'guestree-ports@mail.service']);
    expect((await ask(lab, '127.0.0.1', 2525))[0]).toBe('220 mail');
  });

  test('guestree is killed while clients wait, and the next command lets them go on', async () => {
    const steps = await succeed(lab, ['rollback', 'mail', '--dry-run']);
    const points = steps.split('\n').filter((line) => /^\d+\. /.test(line)).length;
    const seen = await visitDuring(lab, targets, async () => {
      for (let point = 0; point < points; point++) {
        expect((await guestree(lab, ['rollback', 'mail'], `before:${point}`)).exitCode).not.toBe(0);
        await happily('recover');
      }
    });
    // What recovery stops in the middle of a switch may break connections; none is refused.
    console.log(`${suite}, killed at ${points} points: ${JSON.stringify(seen)}`);
    expect(seen.refused).toBe(0);
    expectAllServed(await visitDuring(lab, targets, () => happily('recover')));
    expect((await lab.run(['ls', '/run/guestree/ports/mail'])).stdout).not.toMatch(/^held$/m);
  });

  test('after a reboot of the host the ports are there again, and are held again', async () => {
    await lab.run(['systemctl', 'enable', '--quiet', 'systemd-nspawn@mail.service']);
    await lab.reboot();
    await lab.run(['systemctl', 'start', 'systemd-nspawn@mail.service', 'guestree-ports@mail.service']);
    for (const target of ['127.0.0.1', '::1', address])
      expect((await ask(lab, target, 2525))[0], target).toBe('220 mail');
    expectAllServed(await visitDuring(lab, targets, () => happily('rollback', 'mail')));
  });

  test('nothing is left of guests that are removed', async () => {
    await happily('remove', 'mail', 'other', '--yes');
    const left = [
      'ls /run/guestree/ports',
      `ls ${STATE}/pairs`,
      'ls /run/systemd/system | grep guestree- || true',
      'ip -brief link | grep gt- || true',
      "systemctl list-units --all --plain --no-legend 'guestree-l*' 'guestree-p*' 'guestree-c*'",
      "ss -Hltn 'sport = :2525 or sport = :2526 or sport = :2530'",
      'pgrep -a socket-proxyd || true',
    ];
    for (const script of left) expect((await lab.run(['sh', '-c', script])).stdout, script).toBe('');
  });
});
