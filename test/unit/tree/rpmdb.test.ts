import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findRpmDatabase, parseRpmDatabase, readRpmDatabase, versionsOf } from '../../../src/tree/rpmdb.ts';
import { readTable } from '../../../src/tree/sqlite.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';

const DATABASE = gunzipSync(await readFile(new URL('../../fixtures/rpmdb/rpmdb.sqlite.gz', import.meta.url)));

describe('a database that rpm wrote', () => {
  test('names its packages with version and architecture', () => {
    const packages = parseRpmDatabase(DATABASE);
    const found = packages.map(({ name, version, architecture }) => [name, version, architecture]);
    expect(found.slice(0, 2).sort()).toEqual([
      ['hello', '2.0-1', 'noarch'],
      ['hello-libs', '2.0-1', 'noarch'],
    ]);
    expect(found[2]?.[0]).toBe('gpg-pubkey');
  });

  test('names the files of a package', () => {
    const hello = parseRpmDatabase(DATABASE).find(({ name }) => name === 'hello');
    expect(hello?.files()).toEqual([
      '/etc/hello.conf',
      '/usr/bin/hello',
      '/usr/lib/systemd/system-preset/50-hello.preset',
      '/usr/lib/systemd/system/hello.service',
      '/var/lib/hello',
      '/var/lib/hello/greeting',
      '/var/spool/hello',
      '/var/spool/hello/last',
    ]);
  });

  test('keys that were imported are no packages', () => {
    expect([...versionsOf(parseRpmDatabase(DATABASE))].sort()).toEqual([
      ['hello', '2.0-1'],
      ['hello-libs', '2.0-1'],
    ]);
  });

  test('has other tables, and lacks others', () => {
    expect(readTable(DATABASE, 'Name').length).toBeGreaterThan(0);
    expect(() => readTable(DATABASE, 'Nothing')).toThrow(RangeError);
  });
});

test('several packages of one name are told apart', () => {
  const kernel = (version: string, architecture = 'x86_64'): ReturnType<typeof parseRpmDatabase>[number] => ({
    ...{ name: 'kernel', version, architecture },
    files: () => [],
  });
  expect([...versionsOf([kernel('1-1'), kernel('2-1'), kernel('3-1'), kernel('1-1', 'i686')])]).toEqual([
    ['kernel', '1-1'],
    ['kernel.x86_64', '2-1'],
    ['kernel-3-1.x86_64', '3-1'],
    ['kernel.i686', '1-1'],
  ]);
});

describe('a damaged database', () => {
  test('a cut one is refused, wherever it was cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: DATABASE.length - 4096 }), (length) => {
        expect(() => readTable(DATABASE.subarray(0, length), 'Packages')).toThrow(RangeError);
      }),
      { examples: [[0], [15], [100]] },
    );
  });

  test('one with changed bytes is read or refused, and nothing worse', () => {
    const change = fc.tuple(fc.nat(DATABASE.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), (changes) => {
        const damaged = Buffer.from(DATABASE);
        for (const [offset, byte] of changes) damaged[offset] = byte;
        try {
          for (const each of parseRpmDatabase(damaged)) each.files();
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('in a root file system', () => {
  test('it is found where rpm-ostree, Fedora or rpm itself has it, and not through a symlink', async () => {
    for (const place of ['usr/share/rpm', 'usr/lib/sysimage/rpm', 'var/lib/rpm']) {
      const root = await temporaryDirectory();
      await mkdir(`${root}/${place}`, { recursive: true });
      expect(await findRpmDatabase(root)).toBeUndefined();
      await writeFile(`${root}/${place}/rpmdb.sqlite`, DATABASE);
      expect(await findRpmDatabase(root)).toBe(place);
      expect((await readRpmDatabase(root))?.length).toBe(3);
    }
    const root = await temporaryDirectory();
    const outside = await temporaryDirectory();
    await writeFile(`${outside}/rpmdb.sqlite`, DATABASE);
    await mkdir(`${root}/usr/lib/sysimage`, { recursive: true });
    await symlink(outside, `${root}/usr/lib/sysimage/rpm`);
    expect(await readRpmDatabase(root)).toBeUndefined();
  });

  test('one with unfinished changes or damage is refused with a reason', async () => {
    const root = await temporaryDirectory();
    await mkdir(`${root}/usr/share/rpm`, { recursive: true });
    await writeFile(`${root}/usr/share/rpm/rpmdb.sqlite`, DATABASE.subarray(0, 9000));
    expect((await failureOfLater(readRpmDatabase(root))).reason).toBe('invalid');
    await writeFile(`${root}/usr/share/rpm/rpmdb.sqlite-wal`, 'x');
    expect((await failureOfLater(readRpmDatabase(root))).reason).toBe('unsupported');
  });
});
