import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeArchive, openWorkshop, seed, type Workshop } from './layers.fixture.ts';

let shop: Workshop;
let directory: string;

beforeAll(async () => {
  shop = await openWorkshop('scripts');
});
afterAll(() => shop.remove());
beforeEach(() => {
  directory = shop.newDirectory();
  shop.output.length = 0;
});

const cat = (commit: string, path: string): string => shop.ostree('cat', commit, path);

describe('package scripts', () => {
  test('start nothing, reach no network, and cannot touch the host', async () => {
    const connections: string[] = [];
    const server = createServer((socket) => void connections.push(socket.remoteAddress ?? ''));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const marker = `${directory}/marker`;
    const tries = {
      tcp: `bash -c 'echo x >/dev/tcp/127.0.0.1/${port}'`,
      internet: "timeout 5 bash -c 'echo x >/dev/tcp/192.0.2.1/80'",
      host: `test -e ${directory}/secret`,
      mount: 'mount -t tmpfs none /mnt',
      device: 'mknod /disk b 254 0 && head -c1 /disk',
      systemctl: 'systemctl is-system-running | grep -qv offline',
      cache: 'rm -rf /var/cache/apt/archives && test ! -e /var/cache/apt/archives',
    };
    const postinst = [
      ...Object.entries(tries).map(
        ([name, command]) => `if ( ${command} ) >/dev/null 2>&1; then echo ${name} >>/usr/share/done; fi`,
      ),
      `invoke-rc.d tinyd start; echo x >${marker}; echo x >/../../../..${marker}`,
      '(sleep 31337; echo late >>/usr/share/done) >/dev/null 2>&1 &',
      'echo end >>/usr/share/done',
    ].join('\n');
    const files = { 'etc/init.d/tinyd': '#!/bin/sh\ntouch /usr/share/started\n' };
    const source = makeArchive(directory, [{ name: 'hostile', postinst, files }]);
    writeFileSync(`${directory}/secret`, '');
    const { commit } = await shop.build({ packages: ['hostile'], ...source });
    server.close();
    expect(cat(commit, '/usr/share/done')).toBe('end\n');
    expect(connections).toEqual([]);
    expect(await shop.pool.has(commit, '/usr/share/started')).toBe(false);
    expect(shop.ostree('ls', '-R', commit, '/usr/share/factory/var')).not.toContain('guestree-layers');
    expect(existsSync(marker)).toBe(false);
    expect(spawnSync('pgrep', ['-f', '^sleep 31337$']).status).toBe(1);
  });

  test('that change, replace and remove files of the base change only the new tree', async () => {
    const postinst = [
      'set -e',
      'echo more >>/usr/share/common-licenses/BSD',
      'rm -r /usr/share/common-licenses/../perl5; mkdir /usr/share/perl5; echo new >/usr/share/perl5/only',
      'rm -r /usr/share/base-files; ln -s perl5 /usr/share/base-files',
      'rm /usr/bin/which; mkdir /usr/bin/which; echo x >/usr/bin/which/file',
      'chmod 700 /usr/bin/dpkg; chown daemon /usr/share/dpkg',
      'mkfifo /usr/share/pipe; mkfifo /var/lib/pipe',
      'ln /usr/share/perl5/only /usr/share/perl5/hardlink',
      'setcap cap_net_raw+ep /usr/bin/env 2>/dev/null || true',
    ].join('\n');
    const { commit, warnings } = await shop.build({
      packages: ['changer'],
      ...makeArchive(directory, [{ name: 'changer', postinst }]),
    });
    expect(cat(commit, '/usr/share/common-licenses/BSD')).toBe(
      `${cat(shop.base, '/usr/share/common-licenses/BSD')}more\n`,
    );
    expect(shop.ostree('ls', commit, '/usr/share/perl5').split('\n').length).toBe(4);
    expect(shop.ostree('ls', commit, '-d', '/usr/share/base-files')).toContain('-> perl5');
    expect(cat(commit, '/usr/bin/which/file')).toBe('x\n');
    expect(shop.ostree('ls', commit, '/usr/bin/dpkg')).toMatch(/^-00700 /);
    expect(shop.ostree('ls', commit, '-d', '/usr/share/dpkg')).toMatch(/^d00755 1 0 /);
    expect(warnings).toEqual([expect.stringContaining('/usr/share/pipe is a special file')]);
    expect(cat(commit, '/usr/lib/tmpfiles.d/guestree-var.conf')).toContain(
      'p /var/lib/pipe :0644 :root :root -',
    );
    await shop.pool.fsck();
  });

  test('that fail are named, with what they said, and leave nothing behind', async () => {
    const source = makeArchive(directory, [{ name: 'failing', postinst: 'echo I cannot; exit 3' }]);
    const failure = shop.build({ packages: ['failing'], ...source, ref: 'guest/failing/1/tree' });
    await expect(failure).rejects.toMatchObject({
      reason: 'packages',
      message: expect.stringContaining('"failing" could not be installed') as string,
      hint: expect.stringContaining('I cannot') as string,
    });
    expect(await shop.pool.resolve('guest/failing/1/tree')).toBeUndefined();
  });

  test('work on the files of the package’s new version in an existing /var', async () => {
    const one = makeArchive(directory, [{ name: 'app', files: { 'var/lib/app/one': '1' } }]);
    const variable = `${directory}/var`;
    mkdirSync(variable);
    seed(shop, (await shop.build({ packages: ['app'], ...one })).commit, variable);
    writeFileSync(`${variable}/lib/app/one`, 'changed');
    const two = makeArchive(directory, [
      { name: 'app', version: '2.0', files: { 'var/lib/app/one': '1', 'var/lib/app/two words%': '2' } },
    ]);
    seed(shop, (await shop.build({ packages: ['app'], ...two, upgrade: true })).commit, variable);
    expect(readFileSync(`${variable}/lib/app/one`, 'utf8')).toBe('changed');
    expect(readFileSync(`${variable}/lib/app/two words%`, 'utf8')).toBe('2');
  });

  test('that made a database make it once: what the daemon deletes stays deleted', async () => {
    const postinst =
      'mkdir -p /var/lib/db/data; echo 1 >/var/lib/db/data/log.1; echo 2 >/var/lib/db/data/log.2';
    const source = makeArchive(directory, [{ name: 'db', files: { 'var/lib/db/README': 'x' }, postinst }]);
    const { commit } = await shop.build({ packages: ['db'], ...source });
    const variable = `${directory}/var`;
    mkdirSync(variable);
    seed(shop, commit, variable);
    expect(readFileSync(`${variable}/lib/db/data/log.1`, 'utf8')).toBe('1\n');
    execFileSync('rm', [`${variable}/lib/db/data/log.1`, `${variable}/lib/db/README`]);
    seed(shop, commit, variable);
    expect(existsSync(`${variable}/lib/db/data/log.1`)).toBe(false);
    expect(existsSync(`${variable}/lib/db/README`)).toBe(true);
  });
});
