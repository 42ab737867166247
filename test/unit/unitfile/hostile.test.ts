import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnitFile } from '../../../src/unitfile/unitfile.ts';
import { unlessRefused } from '../failures.ts';
import { meaningOf, meaningWithout } from './snapshot.ts';

const names = ['A', 'B', 'Service'];
const keys = ['x', 'y', 'ExecStart'];

/** Files with everything that makes adding to them hard: continuations, cut-off ends, repeated sections, comments. */
const files = fc
  .array(
    fc.oneof(
      fc.constantFrom(...names.map((name) => `[${name}]`)),
      fc.constantFrom('x=1', 'x=', 'y=a b', 'ExecStart=/bin/sh -c "a" \\', 'y=\\', 'x=\\\\', '  x  =  2  '),
      fc.constantFrom('', '# c', '; c \\', ' ', '\t', 'z=1 \\'),
    ),
    { maxLength: 10 },
  )
  .chain((lines) => fc.constantFrom('', '\n', '\\', ' \\\n').map((end) => ['[A]', ...lines].join('\n') + end))
  .filter((text) => unlessRefused(() => UnitFile.parse(text)) !== undefined);

const values = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc
    .array(
      fc.constantFrom(
        'a',
        '\n',
        '\r',
        '\\',
        '[B]',
        'x=1',
        '#',
        ';',
        ' ',
        '\0',
        '%n',
        '"',
        '\u2028',
        '\u0085',
        '\t',
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
);
const sections = fc.oneof(fc.constantFrom(...names, 'New'), fc.string({ maxLength: 8 }));
const someKeys = fc.oneof(fc.constantFrom(...keys, 'New'), fc.string({ maxLength: 8 }));

const RUNS = { numRuns: 2000 };

describe('whatever the value', () => {
  test('adding is refused, or gives the same file with exactly this one assignment more', () => {
    fc.assert(
      fc.property(files, sections, someKeys, values, (text, section, key, value) => {
        const before = UnitFile.parse(text);
        const added = unlessRefused(() => UnitFile.parse(text).add(section, key, value));
        if (added === undefined) return;
        const after = UnitFile.parse(added.toString());
        const kept = value.replace(/^[ \t]+|[ \t]+$/g, '');
        expect(after.lookup(section, key)).toBe(kept);
        expect(after.lookupAll(section, key)).toEqual(
          kept === '' ? [] : [...before.lookupAll(section, key), kept],
        );
        expect(meaningWithout(after, section, key)).toEqual(meaningWithout(before, section, key));
        expect(meaningOf(added)).toEqual(meaningOf(after));
      }),
      RUNS,
    );
  });

  test('setting is refused, or gives the same file with this one value', () => {
    fc.assert(
      fc.property(files, sections, someKeys, values, (text, section, key, value) => {
        const set = unlessRefused(() => UnitFile.parse(text).set(section, key, value));
        if (set === undefined) return;
        const after = UnitFile.parse(set.toString());
        const kept = value.replace(/^[ \t]+|[ \t]+$/g, '');
        expect(after.lookupAll(section, key)).toEqual(kept === '' ? [] : [kept]);
        expect(meaningWithout(after, section, key)).toEqual(
          meaningWithout(UnitFile.parse(text), section, key),
        );
      }),
      RUNS,
    );
  });

  test('removing takes nothing else away', () => {
    fc.assert(
      fc.property(files, sections, someKeys, (text, section, key) => {
        const after = UnitFile.parse(UnitFile.parse(text).remove(section, key).toString());
        expect(after.keys(section)).not.toContain(key);
        expect(meaningOf(after)).toEqual(meaningWithout(UnitFile.parse(text), section, key));
      }),
      RUNS,
    );
  });

  test('a refused change leaves the file as it was', () => {
    fc.assert(
      fc.property(files, sections, someKeys, values, (text, section, key, value) => {
        const file = UnitFile.parse(text);
        if (unlessRefused(() => file.add(section, key, value)) !== undefined) return;
        expect(file.toString()).toBe(text);
      }),
      RUNS,
    );
  });
});
