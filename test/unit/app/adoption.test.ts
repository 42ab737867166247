import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCandidates, readHostOrigin, requireIdle } from '../../../src/app/adoption.ts';
import { failureOfLater } from '../failures.ts';
import { commit, fakeHost, id, type FakeHost } from '../guard/hosts.ts';

/** A host with a guest in the stateroot `mail`: listed, and left over by a staged deployment that was hidden. */
async function hostWithGuest(): Promise<FakeHost> {
  const host = await fakeHost();
  await host.deployment('mail', '7');
  await host.entry(0, 'mail', '7');
  await host.deployment('mail', '8');
  return host;
}

describe('the deployments of a stateroot', () => {
  test('are found with their place and their index in the list of ostree', async () => {
    const found = await findCandidates('mail', await hostWithGuest());
    expect(found).toMatchObject([
      { id: id('7'), place: 'listed', index: 2, mergeFrom: undefined },
      { id: id('8'), place: 'unlisted', index: undefined },
    ]);
    expect(found[1]?.madeAt).toBeGreaterThanOrEqual(found[0]?.madeAt ?? Infinity);
  });

  test('include the staged one, which comes first in the list and is to get the /etc of another', async () => {
    const host = await hostWithGuest();
    const from = { stateroot: 'mail', commit: commit('7'), serial: 0, bootChecksum: commit('f') };
    await host.stage('mail', '8', { mergeDeployment: from });
    expect(await findCandidates('mail', host)).toMatchObject([
      { id: id('7'), place: 'listed', index: 3 },
      { id: id('8'), place: 'staged', index: 0, mergeFrom: id('7') },
    ]);
  });

  test('move down by one where the host has staged an update of its own', async () => {
    const host = await hostWithGuest();
    await host.deployment('fedora', '2');
    await host.stage('fedora', '2');
    expect(await findCandidates('mail', host)).toMatchObject([
      { index: 3, place: 'listed' },
      { index: undefined },
    ]);
  });

  test('whose staged one is gone are the others', async () => {
    const host = await hostWithGuest();
    await host.stage('mail', '9');
    expect((await findCandidates('mail', host)).map((each) => each.place)).toEqual(['listed', 'unlisted']);
  });

  test('of the host itself, or of nobody, are refused', async () => {
    const host = await hostWithGuest();
    expect(await failureOfLater(findCandidates('fedora', host))).toMatchObject({ reason: 'conflict' });
    expect(await failureOfLater(findCandidates('../x', host))).toMatchObject({
      reason: 'not-found',
      hint: 'There are: mail. See: ostree admin status',
    });
  });
});

describe('a stateroot', () => {
  async function processes(root: string): Promise<string> {
    const proc = join(root, 'proc');
    for (const pid of ['1', '22', 'sys']) await mkdir(join(proc, pid), { recursive: true });
    await symlink('/', join(proc, '1/root'));
    return proc;
  }

  test('from which nothing runs is idle, whatever has ended meanwhile', async () => {
    const host = await hostWithGuest();
    await requireIdle('mail', await findCandidates('mail', host), host, await processes(host.run));
  });

  test('from which a process runs is refused, and the process is named', async () => {
    const host = await hostWithGuest();
    const proc = await processes(host.run);
    await symlink(`${host.sysroot}/ostree/deploy/mail/deploy/${id('8')}`, join(proc, '22/root'));
    const failure = await failureOfLater(requireIdle('mail', await findCandidates('mail', host), host, proc));
    expect(failure.message).toContain('process 22');
    expect(failure.hint).toContain('systemctl status 22');
  });
});

test('an origin is read, and one that is gone is undefined', async () => {
  const host = await hostWithGuest();
  expect(await readHostOrigin('mail', id('7'), host)).toMatchObject({ base: { refspec: 'fedora:stable' } });
  expect(await readHostOrigin('mail', id('9'), host)).toBeUndefined();
});
