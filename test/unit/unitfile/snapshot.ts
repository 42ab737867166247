import type { UnitFile } from '../../../src/unitfile/unitfile.ts';

/** One key with what a reader of the file gets for it. */
export interface Entry {
  section: string;
  key: string;
  last: string | undefined;
  all: string[];
}

/** Everything that a file means. */
export function meaningOf(file: UnitFile): Entry[] {
  return file.sections().flatMap((section) =>
    file.keys(section).map((key) => ({
      section,
      key,
      last: file.lookup(section, key),
      all: file.lookupAll(section, key),
    })),
  );
}

/** What it means without one key. */
export function meaningWithout(file: UnitFile, section: string, key: string): Entry[] {
  return meaningOf(file).filter((entry) => entry.section !== section || entry.key !== key);
}
