import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRpmFile } from '../../../src/tree/rpmfile.ts';
import { Failure } from '../../../src/model/failure.ts';
import { temporaryDirectory } from '../directory.ts';
import { failureOfLater } from '../failures.ts';

type Entry = [tag: number, value: string | number];

/** A header with strings (type 6) and numbers (type 4). */
function header(entries: readonly Entry[]): Buffer {
  const index: Buffer[] = [];
  let data = Buffer.alloc(0);
  for (const [tag, value] of entries) {
    if (typeof value === 'number') data = Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
    index.push(words(tag, typeof value === 'number' ? 4 : 6, data.length, 1));
    data = Buffer.concat([data, typeof value === 'number' ? words(value) : Buffer.from(`${value}\0`)]);
  }
  return Buffer.concat([
    Buffer.from('8eade80100000000', 'hex'),
    words(entries.length, data.length),
    ...index,
    data,
  ]);
}

function words(...numbers: number[]): Buffer {
  const buffer = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, at) => buffer.writeUInt32BE(number, 4 * at));
  return buffer;
}

function rpm(entries: readonly Entry[], source = false): Buffer {
  const lead = Buffer.alloc(96);
  lead.write('edabeedb0300', 0, 'hex');
  lead.writeUInt16BE(source ? 1 : 0, 6);
  // Its data is 5 bytes long, so that the padding counts.
  const signatures = header([[1004, 'sign']]);
  const padding = Buffer.alloc((8 - (signatures.length % 8)) % 8);
  return Buffer.concat([lead, signatures, padding, header(entries), Buffer.from('payload')]);
}

const HELLO: Entry[] = [
  [1000, 'hello'],
  [1001, '2.0~rc1'],
  [1002, '1.fc42'],
  [1003, 3],
  [1022, 'x86_64'],
];

async function written(content: Buffer): Promise<string> {
  const path = `${await temporaryDirectory()}/a b.rpm`;
  await writeFile(path, content);
  return path;
}

test('a package file is known by its header, and by a checksum over all of it', async () => {
  const content = rpm(HELLO);
  expect(await readRpmFile(await written(content))).toEqual({
    name: 'hello',
    nevra: 'hello-3:2.0~rc1-1.fc42.x86_64',
    sha256: createHash('sha256').update(content).digest('hex'),
  });
});

describe('is refused', () => {
  const renamed = (name: string): Buffer => rpm([[1000, name], ...HELLO.slice(1)]);
  test.each<[string, Buffer]>([
    ['an empty file', Buffer.alloc(0)],
    ['a file of another kind', Buffer.from('!<arch>\ndebian-binary'.padEnd(4000))],
    ['a source package', rpm(HELLO, true)],
    ['a package without a name', rpm(HELLO.slice(1))],
    ['a package that is called like an option', renamed('--all')],
    ['a package with a line break in its name', renamed('hello\nrm')],
    ['a package with a path for a name', renamed('../../etc/passwd')],
    ['a header that says it is endless', rpm(HELLO).fill(255, 104, 112)],
  ])('%s', async (_, content) => {
    const failure = await failureOfLater(readRpmFile(await written(content)));
    expect(failure.reason).toBe('invalid');
    expect(failure.message).not.toMatch(/\n/);
  });

  test('what is not there, and what is no file', async () => {
    const directory = await temporaryDirectory();
    expect((await failureOfLater(readRpmFile(`${directory}/none.rpm`))).reason).toBe('not-found');
    await symlink('none', `${directory}/link.rpm`);
    expect((await failureOfLater(readRpmFile(`${directory}/link.rpm`))).reason).toBe('not-found');
    await mkdir(`${directory}/directory.rpm`);
    expect((await failureOfLater(readRpmFile(`${directory}/directory.rpm`))).reason).toBe('invalid');
    expect((await failureOfLater(readRpmFile('/dev/null'))).reason).toBe('invalid');
  });

  test('a file that was cut or changed anywhere: it is read or refused, and nothing worse', async () => {
    const whole = rpm(HELLO);
    const path = await written(whole);
    const cut = fc.nat(whole.length - 'payload'.length - 1);
    await fc.assert(
      fc.asyncProperty(cut, fc.nat(whole.length - 1), fc.nat(255), async (length, at, byte) => {
        await writeFile(path, whole.subarray(0, length));
        expect((await failureOfLater(readRpmFile(path))).reason).toBe('invalid');
        const changed = Buffer.from(whole);
        changed[at] = byte;
        await writeFile(path, changed);
        await readRpmFile(path).catch((error: unknown) => expect(error).toBeInstanceOf(Failure));
      }),
      { numRuns: 200 },
    );
  });
});
