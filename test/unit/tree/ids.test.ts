import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EMPTY_REGISTRY,
  extendRegistry,
  parseRegistry,
  planIds,
  renderRegistry,
  type UserFiles,
} from '../../../src/tree/ids.ts';

const BASE: UserFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nmessagebus:x:100:101::/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nmessagebus:x:101:\nshadow:x:42:\n',
  shadow: 'root:*:19000:0:99999:7:::\nmessagebus:!:19000::::::\n',
  gshadow: 'root:*::\nmessagebus:!::\nshadow:*::\n',
};

const REGISTRY = {
  passwd: ['postfix:x:101:103::/var/spool/postfix:/usr/sbin/nologin'],
  group: ['postfix:x:103:', 'postdrop:x:104:'],
};

describe('planIds', () => {
  test('an empty registry changes nothing', () => {
    expect(planIds(BASE, EMPTY_REGISTRY)).toEqual({ files: BASE, moves: [] });
  });

  test('accounts of the registry are added with their numbers, locked', () => {
    const { files, moves } = planIds(BASE, REGISTRY);
    expect(moves).toEqual([]);
    expect(files.passwd).toBe(`${BASE.passwd}${REGISTRY.passwd[0] ?? ''}\n`);
    expect(files.group).toBe(`${BASE.group}postfix:x:103:\npostdrop:x:104:\n`);
    expect(files.shadow).toBe(`${BASE.shadow}postfix:!*:::::::\n`);
    expect(files.gshadow).toBe(`${BASE.gshadow}postfix:!::\npostdrop:!::\n`);
  });

  test('a new user of the base gives way to a registered one', () => {
    const base = {
      ...BASE,
      passwd: `${BASE.passwd}newcomer:x:101:103::/:/bin/false\n`,
      group: `${BASE.group}newcomer:x:103:\n`,
    };
    const { files, moves } = planIds(base, REGISTRY);
    expect(moves).toEqual([
      { kind: 'user', name: 'newcomer', from: 101, to: 999 },
      { kind: 'group', name: 'newcomer', from: 103, to: 999 },
    ]);
    expect(files.passwd).toContain('newcomer:x:999:999::/:/bin/false\n');
    expect(files.passwd).toContain('postfix:x:101:103:');
  });

  test('a user whose number changed in the base gets the registered one back', () => {
    const registry = extendRegistry(EMPTY_REGISTRY, BASE);
    const base = { ...BASE, passwd: BASE.passwd.replace('x:100:101', 'x:998:101') };
    const { files, moves } = planIds(base, registry);
    expect(moves).toEqual([{ kind: 'user', name: 'messagebus', from: 998, to: 100 }]);
    expect(files.passwd).toBe(BASE.passwd);
  });

  test('two users that exchanged their numbers are exchanged back', () => {
    const lines = (a: number, b: number): string => `a:x:${a}:0::/:\nb:x:${b}:0::/:\n`;
    const registry = extendRegistry(EMPTY_REGISTRY, { passwd: lines(101, 102), group: '' });
    const { files, moves } = planIds(
      { passwd: lines(102, 101), group: '', shadow: '', gshadow: '' },
      registry,
    );
    expect(files.passwd).toBe(lines(101, 102));
    expect(moves.map((move) => [move.from, move.to])).toEqual([
      [102, 101],
      [101, 102],
    ]);
  });

  test('a second name for a number follows the first', () => {
    const base = { ...BASE, passwd: `${BASE.passwd}toor:x:0:0::/root:/bin/sh\n` };
    expect(planIds(base, extendRegistry(EMPTY_REGISTRY, BASE)).moves).toEqual([]);
  });

  test('every registered account ends with its number, and no number is given twice', () => {
    const account = fc.record({
      name: fc.stringMatching(/^[a-z]{1,3}$/),
      id: fc.integer({ min: 100, max: 110 }),
    });
    const accounts = fc
      .uniqueArray(account, { selector: ({ name }) => name, maxLength: 6 })
      .filter((list) => new Set(list.map(({ id }) => id)).size === list.length);
    const text = (list: { name: string; id: number }[]): string =>
      list.map(({ name, id }) => `${name}:x:${id}:0::/:\n`).join('');
    fc.assert(
      fc.property(accounts, accounts, (base, registered) => {
        const registry = extendRegistry(EMPTY_REGISTRY, { passwd: text(registered), group: '' });
        const { files } = planIds({ passwd: text(base), group: '', shadow: '', gshadow: '' }, registry);
        const lines = files.passwd.split('\n').filter((line) => line !== '');
        const numbers = new Map(lines.map((line) => [line.split(':')[0], Number(line.split(':')[2])]));
        for (const { name, id } of registered) expect(numbers.get(name)).toBe(id);
        expect(new Set(numbers.values()).size).toBe(numbers.size);
        expect(numbers.size).toBe(new Set([...base, ...registered].map(({ name }) => name)).size);
      }),
    );
  });
});

describe('the registry', () => {
  test('holds no password and no member', () => {
    const registry = extendRegistry(EMPTY_REGISTRY, {
      passwd: 'a:$6$secret:1:1::/:\n',
      group: 'g:pw:1:alice,bob\n',
    });
    expect(registry).toEqual({ passwd: ['a:x:1:1::/:'], group: ['g:x:1:'] });
  });

  test('keeps the number under which it met a name first', () => {
    const first = extendRegistry(EMPTY_REGISTRY, { passwd: 'a:x:1:1::/:\n', group: '' });
    expect(extendRegistry(first, { passwd: 'a:x:2:1::/:\nb:x:3:1::/:\n', group: '' }).passwd).toEqual([
      'a:x:1:1::/:',
      'b:x:3:1::/:',
    ]);
  });

  test('ignores what is no account', () => {
    const text = '# comment\n+@nis\nshort:x:1\n\nok:x:1:1::/:\n';
    expect(extendRegistry(EMPTY_REGISTRY, { passwd: text, group: '' }).passwd).toEqual(['ok:x:1:1::/:']);
  });

  test('survives being written', () => {
    expect(parseRegistry(renderRegistry(REGISTRY), 'ids.json')).toEqual(REGISTRY);
    expect(() => parseRegistry('{"passwd": 1}', 'ids.json')).toThrow('ids.json is damaged');
    expect(() => parseRegistry('{', 'ids.json')).toThrow('ids.json is damaged');
  });
});
