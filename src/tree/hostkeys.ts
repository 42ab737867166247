import { linkWithin, removeWithin, replaceWithin, statWithin } from './within.ts';

/**
 * Keys that must exist in each guest and in no tree: a unit in the tree makes the missing ones at boot, with the
 * guest's own programs, before any service that wants them.
 */
interface KeyMaker {
  program: string;
  args: string;
  makes: string;
}

const MAKERS: readonly KeyMaker[] = [
  // ssh-keygen(1) -A: each default type "if it does not exist".
  { program: 'usr/bin/ssh-keygen', args: '-A', makes: '/etc/ssh/ssh_host_ed25519_key' },
  // make-ssl-cert(8): does nothing where both files exist.
  {
    program: 'usr/sbin/make-ssl-cert',
    args: 'generate-default-snakeoil',
    makes: '/etc/ssl/private/ssl-cert-snakeoil.key',
  },
];

const UNIT = 'usr/lib/systemd/system/guestree-host-keys.service';
const WANTED = 'usr/lib/systemd/system/sysinit.target.wants/guestree-host-keys.service';

/** Gives a tree in ostree layout the unit, if it has a program that makes keys. */
export async function addHostKeyUnit(root: string): Promise<void> {
  const makers: KeyMaker[] = [];
  for (const maker of MAKERS) {
    // A client alone has ssh-keygen, too, and needs no host keys.
    if (maker.program.endsWith('ssh-keygen') && (await statWithin(root, 'usr/sbin/sshd')) === undefined)
      continue;
    if ((await statWithin(root, maker.program)) !== undefined) makers.push(maker);
  }
  if (makers.length === 0) {
    await removeWithin(root, UNIT);
    await removeWithin(root, WANTED);
    return;
  }
  await replaceWithin(root, UNIT, renderHostKeyUnit(makers));
  await linkWithin(root, WANTED, '../guestree-host-keys.service');
}

/** Ordered before sysinit.target, which every ordinary service waits for (bootup(7)). */
export function renderHostKeyUnit(makers: readonly KeyMaker[]): string {
  return [
    '[Unit]',
    'Description=Keys of this machine that are in no tree',
    'Documentation=man:guestree(1)',
    'DefaultDependencies=no',
    'After=local-fs.target systemd-tmpfiles-setup.service systemd-sysusers.service systemd-random-seed.service',
    'Before=sysinit.target shutdown.target',
    'Conflicts=shutdown.target',
    'ConditionPathIsReadWrite=/etc',
    ...makers.map((maker) => `ConditionPathExists=|!${maker.makes}`),
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    // make-ssl-cert asks debconf.
    'Environment=DEBIAN_FRONTEND=noninteractive',
    ...makers.map((maker) => `ExecStart=-/${maker.program} ${maker.args}`),
    '',
  ].join('\n');
}
