import { describe, expect, test } from 'vitest';
import { parseCommit } from '../../../src/model/names.ts';
import {
  deploymentId,
  parseAdminStatus,
  parseContentChecksum,
  Repo,
  Sysroot,
} from '../../../src/system/ostree.ts';
import { failureOfLater } from '../../unit/failures.ts';
import { recorded, replay } from '../recorded.ts';

const NEW = '1cee3bcd887ba043a33d2979ce8cb7f00279f8c2db5b99fd464f887c1ebbf0e8';
const OLD = '8f2e87f2fd91bc0dadfe6953afdf8d00781cdf51090f101591eccafca3d19b68';
const CONTENT = 'b7d9d595b8207cdba5c3e1c985d199bd67e4809cb3b20e88fe14ee1dff7786ba';

const DEPLOYMENTS = [
  { index: 0, stateroot: 'web', commit: NEW, serial: 0, pinned: false },
  { index: 1, stateroot: 'mail', commit: NEW, serial: 0, pinned: false },
  { index: 2, stateroot: 'mail', commit: OLD, serial: 0, pinned: true },
];

describe('ostree admin status', () => {
  test.each(['2022.7', '2025.2'])('of ostree %s is read with order, stateroots and pins', (version) => {
    expect(parseAdminStatus(recorded(`ostree-${version}-admin-status.txt`))).toEqual(DEPLOYMENTS);
  });

  test.each(['2022.7', '2025.2'])('of ostree %s is read on a booted host too', (version) => {
    expect(parseAdminStatus(recorded(`ostree-${version}-admin-status-booted.txt`))).toEqual(DEPLOYMENTS);
  });

  test('without deployments is an empty list', () => {
    expect(parseAdminStatus(recorded('ostree-2022.7-admin-status-none.txt'))).toEqual([]);
    expect(parseAdminStatus('')).toEqual([]);
  });

  test('that is cut off at any byte gives no deployment that is not there', () => {
    const text = recorded('ostree-2022.7-admin-status.txt');
    for (let length = 0; length < text.length; length++) {
      const found = parseAdminStatus(text.slice(0, length)).map((each) => ({ ...each, pinned: false }));
      expect(DEPLOYMENTS.map((each) => ({ ...each, pinned: false })).slice(0, found.length)).toEqual(found);
    }
  });

  test('is asked of the private sysroot, never of the host', async () => {
    const line = 'ostree admin --sysroot=/srv/mail/sysroot status';
    const sysroot = new Sysroot(
      replay({ [line]: { stdout: recorded('ostree-2022.7-admin-status.txt') } }),
      '/srv/mail/sysroot',
    );
    expect((await sysroot.deployments()).map(deploymentId)).toEqual([`${NEW}.0`, `${NEW}.0`, `${OLD}.0`]);
    expect(sysroot.directory('mail', `${OLD}.0`)).toBe(
      `/srv/mail/sysroot/ostree/deploy/mail/deploy/${OLD}.0`,
    );
  });
});

describe('refs', () => {
  const repo = (answers: Parameters<typeof replay>[0]): Repo => new Repo(replay(answers), '/srv/repo');
  const refs = recorded('ostree-2022.7-refs.txt');

  test('are listed and then resolved, as ostree 2022.7 can', async () => {
    const names = refs.trimEnd().split('\n').join(' ');
    const found = await repo({
      'ostree --repo=/srv/repo refs': { stdout: refs },
      [`ostree --repo=/srv/repo rev-parse ${names}`]: { stdout: recorded('ostree-2022.7-rev-parse.txt') },
    }).refs();
    expect(Object.fromEntries(found)).toEqual({
      'ostree/1/1/2': OLD,
      'ostree/1/1/1': NEW,
      'guest/mail/2/tree': NEW,
      'guest/mail/1/tree': OLD,
      'ostree/1/1/0': NEW,
    });
  });

  test('of ostree 2025.2 are listed in the same way', () => {
    const sorted = (text: string): string[] => text.trimEnd().split('\n').sort();
    expect(sorted(recorded('ostree-2025.2-refs.txt'))).toEqual(sorted(refs));
  });

  test('of an empty repository are none, and nothing is resolved', async () => {
    expect(await repo({ 'ostree --repo=/srv/repo refs': {} }).refs()).toEqual(new Map());
  });

  test('that are missing are undefined, or a failure where they are required', async () => {
    const stderr = recorded('ostree-2022.7-rev-parse-missing.stderr.txt');
    const missing = repo({ 'ostree --repo=/srv/repo rev-parse nope': { exitCode: 1, stderr } });
    expect(await missing.resolve('nope')).toBeUndefined();
    const failure = await failureOfLater(missing.require('nope'));
    expect(failure.reason).toBe('not-found');
    expect(failure.hint).toBe('List its refs with: ostree refs --repo=/srv/repo');
  });

  test('that cannot be read for another reason are no missing refs', async () => {
    const stderr = 'error: opening repo: opendir(/srv/repo): No such file or directory\n';
    const broken = repo({ 'ostree --repo=/srv/repo rev-parse x': { exitCode: 1, stderr } });
    expect((await failureOfLater(broken.resolve('x'))).message).toContain('opening repo');
  });
});

describe('ostree show', () => {
  const repo = (stdout: string, stderr = ''): Repo =>
    new Repo(
      replay({
        'ostree --repo=/r show x': { stdout },
        [`ostree --repo=/r show --print-metadata-key=k ${NEW}`]: {
          stdout,
          stderr,
          exitCode: stderr === '' ? 0 : 1,
        },
      }),
      '/r',
    );

  test.each(['2022.7', '2025.2'])('of ostree %s has the content checksum', async (version) => {
    const text = recorded(`ostree-${version}-show.txt`);
    expect(parseContentChecksum(text)).toBe(CONTENT);
    expect(await repo(text).contentChecksum('x')).toBe(CONTENT);
  });

  test('takes no checksum that a commit message claims', () => {
    const forged = `ContentChecksum:  ${'a'.repeat(64)}`;
    const text = recorded('ostree-2022.7-show.txt').replace('mail, generation 2', `m\n${forged}`);
    expect(parseContentChecksum(text)).toBe(CONTENT);
  });

  test('without a checksum is a failure', async () => {
    expect((await failureOfLater(repo('').contentChecksum('x'))).message).toContain('no ContentChecksum');
  });

  test.each([
    ['plain', '12.2'],
    ['quoted', 'it\'s a "quoted" \\ text, ünï\nsecond line'],
    ['escapes', "a\tb\u0001c\u001b\u007f\\d 'single' only\u0085e"],
  ])('gives back metadata as it was written: %s', async (name, value) => {
    const text = recorded(`ostree-2022.7-show-metadata-${name}.txt`);
    expect(await repo(text).metadata(parseCommit(NEW), 'k')).toBe(value);
  });

  test('of a key that is not there is undefined', async () => {
    const stderr = recorded('ostree-2022.7-show-metadata-missing.stderr.txt').replace('nope', 'k');
    expect(await repo('', stderr).metadata(parseCommit(NEW), 'k')).toBeUndefined();
  });
});

describe('ostree cat', () => {
  test('of a file that is not there is undefined', async () => {
    const stderr = recorded('ostree-2022.7-cat-missing.stderr.txt');
    const repo = new Repo(replay({ 'ostree --repo=/r cat x /nope': { exitCode: 1, stderr } }), '/r');
    expect(await repo.cat('x', '/nope')).toBeUndefined();
  });
});
