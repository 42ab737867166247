import { describe, expect, test } from 'vitest';
import { ORIGINS, parseGeneration, renderGeneration } from '../../../src/model/generation.ts';
import { failureOf } from '../failures.ts';

const COMMIT = '0f'.repeat(32);

const RECORD = {
  version: 1,
  guest: 'mail',
  number: 7,
  createdAt: '2025-01-02T03:04:05.678Z',
  createdBy: 'install',
  definition: '[Guest]\nFrom=debian:trixie\n',
  base: COMMIT,
  tree: COMMIT,
  deployment: `${COMMIT}.0`,
  mergedAt: '2025-01-02T03:04:05.678Z',
  requested: ['postfix', 'g++', 'libc6:i386=2:2.36'],
  engine: 'apt',
} as const;

const RPM = { name: 'hello', nevra: 'hello-1:2.0~rc1-1.fc42.x86_64', sha256: COMMIT } as const;

const PATH = '/srv/generations/7/generation.json';

function refusal(record: unknown): string {
  const failure = failureOf(() => parseGeneration(JSON.stringify(record), PATH));
  expect(failure.reason).toBe('invalid');
  expect(failure.hint).toContain('guestree rollback');
  return failure.message;
}

describe('a generation record', () => {
  test('is the same after it was written and read', () => {
    const record = parseGeneration(JSON.stringify(RECORD), PATH);
    // A record from before there were overrides is as good.
    expect(record).toEqual({ ...RECORD, overrides: { removed: [], replaced: [] } });
    expect(parseGeneration(renderGeneration(record), PATH)).toEqual(record);
    expect(renderGeneration(record)).toMatch(/\}\n$/);
  });

  test('keeps its overrides', () => {
    const overrides = { removed: ['nano'], replaced: [RPM] };
    const record = parseGeneration(JSON.stringify({ ...RECORD, overrides }), PATH);
    expect(record.overrides).toEqual(overrides);
    expect(parseGeneration(renderGeneration(record), PATH)).toEqual(record);
  });

  test.each(ORIGINS)('may come from %s', (createdBy) => {
    expect(parseGeneration(JSON.stringify({ ...RECORD, createdBy }), PATH).createdBy).toBe(createdBy);
  });

  test('is refused at whatever byte it was cut off', () => {
    const text = renderGeneration(parseGeneration(JSON.stringify(RECORD), PATH));
    for (let length = 0; length < text.length - 1; length++) {
      const failure = failureOf(() => parseGeneration(text.slice(0, length), PATH));
      expect(failure.message).toContain(`${PATH} is damaged`);
    }
  });

  test.each(['', '\0\0\0\0', 'null', '[]', '"x"', '7', '{', '{}', '{"version":1}'])(
    'is refused if the file holds %j',
    (text) => {
      expect(failureOf(() => parseGeneration(text, PATH)).message).toContain(PATH);
    },
  );

  test.each(Object.keys(RECORD))('is refused without %s', (key) => {
    const message = refusal(Object.fromEntries(Object.entries(RECORD).filter(([name]) => name !== key)));
    expect(message).toContain(PATH);
    expect(message).toContain(key);
  });

  test.each<[string, unknown]>([
    ['version', 2],
    ['version', '1'],
    ['guest', '../mail'],
    ['guest', 7],
    ['number', 0],
    ['number', 1.5],
    ['number', '7'],
    ['createdAt', 'yesterday'],
    ['createdBy', 'magic'],
    ['definition', null],
    ['base', COMMIT.slice(1)],
    ['base', COMMIT.toUpperCase()],
    ['tree', `${COMMIT}/..`],
    ['deployment', COMMIT],
    ['deployment', `../${COMMIT}.0`],
    ['deployment', `${COMMIT}.0\n`],
    ['mergedAt', 0],
    ['requested', 'postfix'],
    ['requested', ['postfix', '--force-yes']],
    ['requested', ['postfix', 7]],
    ['requested', null],
    ['engine', 3],
    ['overrides', null],
    ['overrides', { removed: [] }],
    ['overrides', { removed: ['--all'], replaced: [] }],
    ['overrides', { removed: [], replaced: [{ ...RPM, sha256: `../${COMMIT}` }] }],
    ['overrides', { removed: [], replaced: [{ ...RPM, name: 'a/b' }] }],
    ['overrides', { removed: [], replaced: [{ ...RPM, nevra: 'hello\n-1-1.noarch' }] }],
  ])('is refused with %s %j, and says where', (key, value) => {
    const message = refusal({ ...RECORD, [key]: value });
    expect(message).toContain(PATH);
    expect(message).toContain(key);
  });
});
