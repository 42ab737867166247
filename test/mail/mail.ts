import { join } from 'node:path';
import type { Lab } from '../lab/lab.ts';

/** What tests, demo and bench do with a guest that runs postfix. Everything happens inside the lab. */

const here = (name: string): string => join(import.meta.dirname, name);
const REPOSITORY = '/var/tmp/repository';
const PORT = 8480;

/** Sends a mail over SMTP from the host of the lab; gives the dialogue. Fails if the server does not take it. */
export async function sendMail(
  lab: Lab,
  address: string,
  port: number,
  to: string,
  text: string,
): Promise<string> {
  await lab.copyIn(here('smtp.mjs'), '/var/tmp/smtp.mjs');
  const argv = ['node', '/var/tmp/smtp.mjs', address, String(port), 'sender@example.org', to, text];
  return (await lab.run(argv)).stdout;
}

/** The host's own address that is not loopback: systemd-nspawn's Port= does not serve loopback (systemd#6106). */
export async function hostAddress(lab: Lab): Promise<string> {
  const { stdout } = await lab.run(['ip', '-4', '-o', 'addr', 'show', 'scope', 'global']);
  const found = stdout
    .split('\n')
    .filter((line) => !/^\d+: v[ebz]-/.test(line))
    .map((line) => /inet ([0-9.]+)\//.exec(line)?.[1])
    .find((address) => address !== undefined);
  if (found === undefined) throw new Error(`the lab has no address:\n${stdout}`);
  return found;
}

/** Waits until the mail with that text is in the mailbox, and gives the mailbox. Delivery is asynchronous. */
export async function awaitMail(lab: Lab, guest: string, user: string, text: string): Promise<string> {
  const path = `/var/mail/${user}`;
  for (let tries = 0; tries < 60; tries++) {
    const { stdout } = await lab.run(['guestree', 'exec', guest, '--', 'cat', path], { check: false });
    if (stdout.includes(text)) return stdout;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`no mail "${text}" in ${path} of ${guest} within 30 s`);
}

/**
 * Makes a repository with a newer version of a package and serves it to the lab; gives the version.
 * @param fault a shell command line that the package runs at the end of its configuration
 */
export async function publishNewer(lab: Lab, name: string, suffix: string, fault = ''): Promise<string> {
  await lab.copyIn(here('newer.sh'), '/var/tmp/newer.sh');
  await lab.copyIn(here('../lab/serve.mjs'), '/var/tmp/serve.mjs');
  await lab.run(['sh', '-c', `mkdir -p ${REPOSITORY} && cd /var/tmp && rm -f ${name}_*.deb`]);
  const found = await lab.run(
    ['find', '/sysroot/ostree/guestree/cache', '/var/lib/guestree/cache', '-name', `${name}_*.deb`],
    {
      check: false,
    },
  );
  // The distribution's own: what was published here before has a longer version.
  const [deb] = found.stdout
    .split('\n')
    .filter((path) => path !== '')
    .sort((a, b) => a.length - b.length);
  if (deb === undefined) throw new Error(`no ${name} package in the download cache`);
  const version = (
    await lab.run(['sh', '/var/tmp/newer.sh', name, suffix, deb, REPOSITORY, fault])
  ).stdout.trim();
  const active = await lab.run(['systemctl', 'is-active', 'repository.service'], { check: false });
  if (active.exitCode !== 0) {
    await lab.run([
      'systemd-run',
      '--unit=repository',
      'node',
      '/var/tmp/serve.mjs',
      REPOSITORY,
      String(PORT),
    ]);
  }
  return version;
}

/** Tells a running guest of that repository, as its administrator would. */
export async function addRepository(lab: Lab, guest: string): Promise<void> {
  const line = `deb [trusted=yes] http://127.0.0.1:${PORT} ./`;
  await lab.run([
    'guestree',
    'exec',
    guest,
    '--',
    'sh',
    '-c',
    `echo '${line}' > /etc/apt/sources.list.d/local.list`,
  ]);
}

/** The version of a package in a running guest, as dpkg there says. */
export async function installedVersion(lab: Lab, guest: string, name: string): Promise<string> {
  const argv = ['guestree', 'exec', guest, '--', 'dpkg-query', '-W', '-f=${Version}', name];
  return (await lab.run(argv)).stdout.trim();
}
