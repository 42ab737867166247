import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { observeDrift } from '../../../src/tree/drift.ts';
import { temporaryDirectory } from '../directory.ts';

/** A deployment whose /etc is as pristine as its usr/etc. */
async function deployment(): Promise<string> {
  const root = await temporaryDirectory();
  for (const etc of ['usr/etc', 'etc']) {
    await mkdir(join(root, etc, 'ssh/sshd_config.d'), { recursive: true });
    await writeFile(join(root, etc, 'hosts'), '127.0.0.1 localhost\n');
    await writeFile(join(root, etc, 'ssh/sshd_config'), 'Port 22\n');
    await symlink('../usr/lib/os-release', join(root, etc, 'os-release'));
  }
  return root;
}

describe('the drift of /etc', () => {
  test('of a fresh deployment is none', async () => {
    expect(await observeDrift(await deployment())).toEqual([]);
  });

  test.each<[string, (etc: string) => Promise<void>, unknown]>([
    ['a new file', (etc) => writeFile(join(etc, 'new'), ''), [{ path: 'new', change: 'added' }]],
    [
      'a new directory, once and not for each of its files',
      (etc) => mkdir(join(etc, 'a/b/c'), { recursive: true }).then(() => undefined),
      [{ path: 'a', change: 'added' }],
    ],
    [
      'a new file below a directory of the tree',
      (etc) => writeFile(join(etc, 'ssh/sshd_config.d/10.conf'), ''),
      [{ path: 'ssh/sshd_config.d/10.conf', change: 'added' }],
    ],
    ['a removed file', (etc) => rm(join(etc, 'hosts')), [{ path: 'hosts', change: 'removed' }]],
    [
      'a removed directory',
      (etc) => rm(join(etc, 'ssh'), { recursive: true }),
      [{ path: 'ssh', change: 'removed' }],
    ],
    [
      'changed content of the same length',
      (etc) => writeFile(join(etc, 'ssh/sshd_config'), 'Port 23\n'),
      [{ path: 'ssh/sshd_config', change: 'changed' }],
    ],
    ['a changed mode', (etc) => chmod(join(etc, 'hosts'), 0o600), [{ path: 'hosts', change: 'changed' }]],
    [
      'a changed mode of a directory',
      (etc) => chmod(join(etc, 'ssh'), 0o700),
      [{ path: 'ssh', change: 'changed' }],
    ],
    [
      'a link that points elsewhere',
      async (etc) => {
        await rm(join(etc, 'os-release'));
        await symlink('elsewhere', join(etc, 'os-release'));
      },
      [{ path: 'os-release', change: 'changed' }],
    ],
    [
      'a file that became a link with the same content',
      async (etc) => {
        await rm(join(etc, 'hosts'));
        await symlink('../usr/etc/hosts', join(etc, 'hosts'));
      },
      [{ path: 'hosts', change: 'changed' }],
    ],
    [
      'a directory that became a file',
      async (etc) => {
        await rm(join(etc, 'ssh'), { recursive: true });
        await writeFile(join(etc, 'ssh'), '');
      },
      [{ path: 'ssh', change: 'changed' }],
    ],
  ])('shows %s', async (_, change, drift) => {
    const root = await deployment();
    await change(join(root, 'etc'));
    expect(await observeDrift(root)).toEqual(drift);
  });

  test('is sorted by path', async () => {
    const root = await deployment();
    for (const name of ['z', 'a', 'ssh/m']) await writeFile(join(root, 'etc', name), '');
    expect((await observeDrift(root)).map((each) => each.path)).toEqual(['a', 'ssh/m', 'z']);
  });

  test('of a deployment without /etc is everything, and does not fail', async () => {
    const root = await deployment();
    await rm(join(root, 'etc'), { recursive: true });
    expect((await observeDrift(root)).every((each) => each.change === 'removed')).toBe(true);
  });
});
