import type { Lab } from '../lab/lab.ts';
import { publishNewer } from '../mail/mail.ts';
import { visitDuring } from '../ports/greeter.ts';

const TARGETS = ['127.0.0.1:2526', '::1:2526'];
const STATE = '/sysroot/ostree/guestree';

/**
 * Upgrades of a real mail server in a row, each to a newer package of it, while a client opens an SMTP connection every
 * 20 ms and completes HELO and QUIT. Nothing of it needs the network: the guest knows a repository of the host alone.
 * @returns seconds: the longest wait of any client, and the longest time that plain stops and starts cost the same client
 */
export async function measureUpgrades(
  lab: Lab,
  tar: string,
  count: number,
): Promise<{ longest: number; plain: number }> {
  const run = async (...argv: string[]): Promise<string> =>
    (await lab.run(argv, { timeout: 300_000 })).stdout;
  await run('guestree', 'create', 'post', '--from', tar, '--install', 'postfix', '--listen', 'tcp:2526:25');
  await run('guestree', 'start', 'post');
  await publishNewer(lab, 'postfix', '+up0');
  await run('sh', '-c', `cp ${STATE}/cache/post/apt/archives/*.deb /var/tmp/repository/`);
  const sources =
    'rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; echo "deb [trusted=yes] http://127.0.0.1:8480 ./" > /etc/apt/sources.list';
  await run('guestree', 'exec', 'post', '--', 'sh', '-c', sources);

  const stopAndStart =
    'machinectl stop post; while machinectl show post >/dev/null 2>&1; do sleep 0.02; done; machinectl start post; systemctl start systemd-nspawn@post guestree-ports@post';
  const plain: number[] = [];
  for (let round = 0; round < 8; round++) {
    const { gap } = await visitDuring(lab, TARGETS, async () => {
      await run('sh', '-c', stopAndStart);
    });
    plain.push(gap / 1000);
  }

  const total = { total: 0, refused: 0, early: 0, late: 0, served: 0 };
  let longest = 0;
  let downtime = 0;
  for (let upgrade = 1; upgrade <= count; upgrade++) {
    await publishNewer(lab, 'postfix', `+up${upgrade}`);
    const seen = await visitDuring(lab, TARGETS, async () => {
      const told = await run('guestree', 'upgrade', 'post');
      downtime += Number(/unavailable for ([0-9.]+) s/.exec(told)?.[1]);
    });
    for (const key of ['total', 'refused', 'early', 'late', 'served'] as const) total[key] += seen[key];
    longest = Math.max(longest, seen.longestWait / 1000);
  }
  console.log(
    `${count} upgrades of postfix: ${total.total} connections, ${total.refused} refused, ${total.early} broken before the ` +
      `greeting, ${total.late} broken later; longest wait ${longest.toFixed(2)} s, total downtime ${downtime.toFixed(2)} s`,
  );
  if (total.refused + total.early > 0 || total.total === 0)
    throw new Error('connections were refused or broken');
  await run('guestree', 'remove', 'post', '--yes');
  return { longest, plain: Math.max(...plain) };
}
