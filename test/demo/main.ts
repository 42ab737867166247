import {
  addRepository,
  awaitMail,
  hostAddress,
  installedVersion,
  publishNewer,
  sendMail,
} from '../mail/mail.ts';
import { startLab, type Lab } from '../lab/lab.ts';

/**
 * The main job on real parts, in a lab: a disposable Debian host that is booted from OSTree in a container, so that
 * nothing of this machine is touched. Prints each command and what it says, and fails if anything is not as promised.
 */
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

async function show(lab: Lab, argv: readonly string[]): Promise<string> {
  say(`\n# ${argv.join(' ')}`);
  const begun = performance.now();
  const { stdout } = await lab.run(argv, { timeout: 600_000 });
  process.stdout.write(stdout);
  say(`  (${seconds(begun)})`);
  return stdout;
}

function expect(what: string, right: boolean): void {
  if (!right) throw new Error(`not as promised: ${what}`);
  say(`  ✓ ${what}`);
}

async function demo(lab: Lab): Promise<void> {
  await lab.installGuestree();
  await lab.stageHostUpdate();
  const before = JSON.stringify(await lab.hostFingerprint());
  say('The host is booted from OSTree and has an update of its own staged for the next boot.');

  await show(lab, ['guestree', 'create', 'mail', '--from', `debian:${lab.suite}`, '--port', 'tcp:25:25']);
  await show(lab, ['guestree', 'install', 'mail', 'postfix']);
  await show(lab, ['machinectl', 'start', 'mail']);
  await show(lab, ['machinectl', 'list']);
  await show(lab, ['guestree', 'exec', 'mail', '--', 'useradd', '--create-home', 'alice']);

  const address = await hostAddress(lab);
  say('\n# a mail to alice, over SMTP to port 25 of the host');
  process.stdout.write(await sendMail(lab, address, 25, 'alice@localhost', 'before the upgrade'));
  await awaitMail(lab, 'mail', 'alice', 'before the upgrade');
  expect("the mail is in alice's mailbox in the guest", true);

  const old = await installedVersion(lab, 'mail', 'postfix');
  const newer = await publishNewer(lab, 'postfix', '+demo1');
  await addRepository(lab, 'mail');
  say(`\nA package repository with postfix ${newer} is there now; the guest has ${old}.`);
  await show(lab, ['guestree', 'upgrade', 'mail', '--check']);
  await show(lab, ['guestree', 'upgrade', 'mail']);
  expect(`the guest runs postfix ${newer}`, (await installedVersion(lab, 'mail', 'postfix')) === newer);
  await sendMail(lab, address, 25, 'alice@localhost', 'after the upgrade');
  await awaitMail(lab, 'mail', 'alice', 'after the upgrade');
  expect('mail still flows', true);
  await show(lab, ['guestree', 'diff', 'mail']);

  await show(lab, ['guestree', 'rollback', 'mail']);
  expect(`the guest runs postfix ${old} again`, (await installedVersion(lab, 'mail', 'postfix')) === old);
  const mailbox = await awaitMail(lab, 'mail', 'alice', 'after the upgrade');
  expect('the mailbox is still there, with both mails', mailbox.includes('before the upgrade'));
  await show(lab, ['guestree', 'history', 'mail']);
  await show(lab, ['guestree', 'status', 'mail']);

  const same = JSON.stringify(await lab.hostFingerprint()) === before;
  expect("the host's boot entries, refs and staged update are as they were", same);
}

const begun = performance.now();
say('Making a lab: a Debian host, booted from OSTree (the first time this downloads and builds it).');
const lab = await startLab({ name: 'demo', suite: process.env['GUESTREE_DEMO_SUITE'] ?? 'trixie' });
try {
  say(`The lab is up after ${seconds(begun)}.`);
  await demo(lab);
  say(`\nDone in ${seconds(begun)}. Nothing of this machine was changed.`);
} finally {
  await lab.dispose();
}
