import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePackages } from '../../../src/engines/comparison.ts';

const list = (...pairs: [string, string][]): Map<string, string> => new Map(pairs);

describe('comparing packages', () => {
  test('tells what was added, removed and changed, by name', () => {
    const from = list(['vim', '1'], ['bash', '5.1'], ['git', '2']);
    const to = list(['postfix', '3.7'], ['bash', '5.2'], ['git', '2']);
    expect(comparePackages(from, to)).toEqual([
      { package: 'bash', from: '5.1', to: '5.2' },
      { package: 'postfix', from: undefined, to: '3.7' },
      { package: 'vim', from: '1', to: undefined },
    ]);
  });

  test('of equal lists finds nothing', () => {
    expect(comparePackages(list(['a', '1']), list(['a', '1']))).toEqual([]);
    expect(comparePackages(list(), list())).toEqual([]);
  });

  test('gives exactly what leads from one list to the other, and back', () => {
    const lists = fc
      .dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 2 }))
      .map((record) => new Map(Object.entries(record)));
    fc.assert(
      fc.property(lists, lists, (from, to) => {
        const result = new Map(from);
        for (const change of comparePackages(from, to)) {
          if (change.to === undefined) result.delete(change.package);
          else result.set(change.package, change.to);
        }
        expect(result).toEqual(to);
        expect(comparePackages(to, from)).toEqual(
          comparePackages(from, to).map(({ package: name, from: a, to: b }) => ({
            package: name,
            from: b,
            to: a,
          })),
        );
      }),
    );
  });
});
