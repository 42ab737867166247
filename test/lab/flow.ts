import { expect } from 'vitest';
import {
  addRepository,
  awaitMail,
  hostAddress,
  installedVersion,
  publishNewer,
  sendMail,
} from '../mail/mail.ts';
import type { Lab } from './lab.ts';

/** The life of a guest, as every kind of host must give it. The lab has a host update staged if it is an ostree host. */
export async function liveThrough(lab: Lab): Promise<void> {
  const guestree = async (...args: string[]): Promise<string> =>
    (await lab.run(['guestree', ...args], { timeout: 400_000 })).stdout;

  await guestree('create', 'mail', '--from', `tar:${lab.baseTar(lab.suite)}`, '--port', 'tcp:2525:25');
  await guestree('install', 'mail', 'postfix');
  await lab.run(['machinectl', 'start', 'mail']);
  await lab.run(['systemctl', 'enable', 'systemd-nspawn@mail.service']);
  expect((await lab.run(['machinectl', 'list-images'])).stdout).toMatch(/^mail /m);
  await guestree('exec', 'mail', '--', 'useradd', '--create-home', 'alice');

  const address = await hostAddress(lab);
  await sendMail(lab, address, 2525, 'alice@localhost', 'first mail');
  await awaitMail(lab, 'mail', 'alice', 'first mail');
  const machineId = await guestree('exec', 'mail', '--', 'cat', '/etc/machine-id');

  const old = await installedVersion(lab, 'mail', 'postfix');
  const newer = await publishNewer(lab, 'postfix', '+lab1');
  await addRepository(lab, 'mail');
  const unit = 'systemd-nspawn@mail.service';
  expect(await guestree('upgrade', 'mail')).toMatch(/now on generation 3, unavailable for [0-9.]+ s/);
  expect(await installedVersion(lab, 'mail', 'postfix')).toBe(newer);
  expect((await lab.run(['guestree', 'upgrade', 'mail'], { check: false, timeout: 400_000 })).exitCode).toBe(
    77,
  );
  expect((await lab.run(['systemctl', 'show', '-P', 'Description', unit])).stdout.trim()).toBe(
    'Guest mail, generation 3',
  );
  await sendMail(lab, address, 2525, 'alice@localhost', 'second mail');
  await awaitMail(lab, 'mail', 'alice', 'second mail');
  expect(await guestree('exec', 'mail', '--', 'cat', '/etc/machine-id')).toBe(machineId);

  await guestree('rollback', 'mail');
  expect(await installedVersion(lab, 'mail', 'postfix')).toBe(old);
  expect(await awaitMail(lab, 'mail', 'alice', 'first mail')).toContain('second mail');
  await guestree('rollback', 'mail', '3');
  expect(await installedVersion(lab, 'mail', 'postfix')).toBe(newer);

  await guestree('cleanup', 'mail', '--keep', '1');
  const history = JSON.parse(await guestree('history', 'mail', '--json')) as {
    generations: { generation: number }[];
  };
  expect(history.generations.map((each) => each.generation)).toEqual([3, 2]);

  await guestree('create', 'spare', '--from', `tar:${lab.baseTar(lab.suite)}`, '--network', 'none');
  await guestree('remove', 'spare', '--yes');
  expect((await lab.run(['machinectl', 'list-images'])).stdout).not.toMatch(/^spare /m);
}

/** After a boot of the host: the guest is up on its newest generation, with its data and its service. */
export async function expectUp(lab: Lab, generation: number): Promise<void> {
  await lab.run(['systemctl', 'start', 'systemd-nspawn@mail.service'], { timeout: 120_000 });
  const status = JSON.parse((await lab.run(['guestree', 'status', 'mail', '--json'])).stdout) as {
    guests: { state: string; generation: number; running: number }[];
  };
  expect(status.guests[0]).toMatchObject({ state: 'running', generation, running: generation });
  await awaitMail(lab, 'mail', 'alice', 'first mail');
  await sendMail(
    lab,
    await hostAddress(lab),
    2525,
    'alice@localhost',
    `generation ${generation} after a boot`,
  );
  await awaitMail(lab, 'mail', 'alice', `generation ${generation} after a boot`);
}
