import { lstat, mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { fromTree, toTree } from '../../../src/tree/layout.ts';
import { temporaryDirectory } from '../directory.ts';

const DATABASE = gunzipSync(await readFile(new URL('../../fixtures/rpmdb/rpmdb.sqlite.gz', import.meta.url)));

async function rootWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const root = await temporaryDirectory();
  for (const [path, content] of Object.entries({ 'etc/passwd': '', ...files })) {
    await mkdir(dirname(`${root}/${path}`), { recursive: true });
    await writeFile(`${root}/${path}`, content);
  }
  return root;
}

const holds = async (root: string, path: string, content: Buffer): Promise<boolean> =>
  content.equals(await readFile(`${root}/${path}`));

const conf = async (root: string): Promise<string> =>
  readFile(`${root}/usr/lib/tmpfiles.d/guestree-var.conf`, 'utf8');

describe('the databases of rpm and dnf', () => {
  test('go from /var into usr, with links back, and are found by both on the way back', async () => {
    const root = await rootWith({
      'var/lib/rpm/rpmdb.sqlite': DATABASE,
      'var/lib/dnf/history.sqlite': 'history',
      'var/cache/dnf/packages': 'downloaded',
      'var/log/dnf.log': '',
      'var/tmp/left': '',
    });
    await toTree(root);
    expect(await holds(root, 'usr/lib/sysimage/rpm/rpmdb.sqlite', DATABASE)).toBe(true);
    expect(await readFile(`${root}/usr/lib/sysimage/dnf/history.sqlite`, 'utf8')).toBe('history');
    expect(await conf(root)).toContain('L /var/lib/rpm - - - - ../../usr/lib/sysimage/rpm\n');
    // A guest's own dnf has to be able to write there.
    expect(await conf(root)).not.toContain('/var/lib/dnf');
    expect(await conf(root)).not.toMatch(/dpkg|apt|cache\/dnf\//);

    await fromTree(root);
    expect(await holds(root, 'var/lib/rpm/rpmdb.sqlite', DATABASE)).toBe(true);
    expect((await lstat(`${root}/var/lib/rpm`)).isSymbolicLink()).toBe(true);
    expect(await readFile(`${root}/var/lib/dnf/history.sqlite`, 'utf8')).toBe('history');
    const first = await conf(root);
    await toTree(root);
    const lines = (text: string): string[] =>
      text.split('\n').filter((line) => !line.startsWith('d /var/tmp'));
    expect(lines(await conf(root))).toEqual(lines(first));
  });

  test('stay where Fedora has them', async () => {
    const root = await rootWith({ 'usr/lib/sysimage/rpm/rpmdb.sqlite': DATABASE });
    await toTree(root);
    expect(await holds(root, 'usr/lib/sysimage/rpm/rpmdb.sqlite', DATABASE)).toBe(true);
    expect(await conf(root)).toContain('L /var/lib/rpm - - - - ../../usr/lib/sysimage/rpm\n');
  });

  test('stay where rpm-ostree has them, in a tree that it made, there and back', async () => {
    const root = await temporaryDirectory();
    const integration = 'L /var/lib/rpm - - - - ../../usr/share/rpm\n';
    const files = {
      'usr/etc/passwd': 'root:x:0:0::/root:/bin/bash\n',
      'usr/lib/passwd': 'polkitd:x:999:999::/:/sbin/nologin\n',
      'usr/share/rpm/rpmdb.sqlite': DATABASE,
      'usr/lib/tmpfiles.d/rpm-ostree-0-integration.conf': integration,
    };
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(`${root}/${path}`), { recursive: true });
      await writeFile(`${root}/${path}`, content);
    }
    await toTree(root);
    await fromTree(root);
    expect(await readlink(`${root}/var/lib/rpm`)).toBe('../../usr/share/rpm');
    await toTree(root);
    for (const [path, content] of Object.entries(files))
      expect(await holds(root, path, Buffer.from(content)), path).toBe(true);
    // The tree's own line makes the link; a second one would be a warning at each boot.
    expect(await conf(root)).not.toContain('/var/lib/rpm');
  });
});

test('files of packages in /var are brought one by one, what scripts made as a whole', async () => {
  const root = await rootWith({
    'usr/lib/sysimage/rpm/rpmdb.sqlite': DATABASE,
    'var/lib/hello/greeting': 'of the package',
    'var/lib/server/data': 'made by a script',
  });
  await toTree(root);
  expect(await conf(root)).toMatch(/^d \/var\/lib\/hello .*\nC \/var\/lib\/hello\/greeting /m);
  expect(await conf(root)).toMatch(/^C \/var\/lib\/server - - - - /m);
  expect(await conf(root)).not.toContain('/var/lib/server/data');
});
