import { join } from 'node:path';
import type { Lab } from '../lab/lab.ts';

/** What tests do with a guest that greets whoever connects. Everything happens inside the lab. */

const here = (name: string): string => join(import.meta.dirname, name);
const STOP = '/var/tmp/client-stop';

/** Installs the greeter in a running guest as a service that listens some time after it counts as started. */
export async function installGreeter(lab: Lab, guest: string, port: number): Promise<void> {
  await lab.copyIn(here('greeter.pl'), '/var/tmp/greeter.pl');
  const unit = [
    '[Unit]',
    'Description=Greets',
    '[Service]',
    `ExecStart=/usr/bin/perl /etc/greeter.pl ${port} ${guest}`,
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
  const script = [
    'set -e',
    `base64 -d >/etc/greeter.pl <<'END'\n$(base64 </var/tmp/greeter.pl)\nEND`,
    `cat >/etc/systemd/system/greeter.service <<'END'\n${unit}END`,
    'systemctl enable --quiet --now greeter',
  ].join('\n');
  // The outer shell puts the file into the script that the guest's shell runs.
  await lab.run(['sh', '-c', `cat <<OUTER | guestree exec "$1" -- sh\n${script}\nOUTER`, 'sh', guest]);
}

/** What became of a client's connections (client.mjs). */
export interface Seen {
  total: number;
  served: number;
  refused: number;
  early: number;
  late: number;
  /** Milliseconds. */
  longestWait: number;
  gap: number;
  errors: string[];
}

/** A client opens a connection every 20 ms while something happens, a second before and two after it. */
export async function visitDuring(
  lab: Lab,
  targets: readonly string[],
  happen: () => Promise<void>,
): Promise<Seen> {
  await lab.copyIn(here('client.mjs'), '/var/tmp/client.mjs');
  await lab.run(['rm', '-f', STOP]);
  const client = lab.run(['node', '/var/tmp/client.mjs', STOP, '20', ...targets], { timeout: 280_000 });
  await sleep(1000);
  try {
    await happen();
  } finally {
    await sleep(2000);
    await lab.run(['touch', STOP]);
  }
  return JSON.parse((await client).stdout) as Seen;
}

/** What a guest answers to the words, line by line; empty if the port is closed. */
export async function ask(lab: Lab, address: string, port: number, ...words: string[]): Promise<string[]> {
  const text = [...words, 'QUIT'].map((word) => `${word}\\r\\n`).join('');
  const script = `printf '${text}' | nc -w 10 ${address} ${port}`;
  const { stdout } = await lab.run(['sh', '-c', script], { check: false });
  return stdout.split('\r\n').filter((line) => line !== '');
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
