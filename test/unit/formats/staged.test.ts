import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode, unwrap, wrap, type Variant } from '../../../src/formats/gvariant.ts';
import {
  parseStagedDeployment,
  renderStagedDeployment,
  type DeploymentName,
  type StagedDeployment,
} from '../../../src/formats/staged.ts';
import { parseCommit } from '../../../src/model/names.ts';
import { failureOf } from '../failures.ts';
import { strings } from './strings.ts';
import { vector, VECTORS } from './vectors.ts';

function deployment(digit: string, serial: number): DeploymentName {
  return {
    stateroot: 'guest',
    commit: parseCommit(digit.repeat(64)),
    serial,
    bootChecksum: 'b'.repeat(64),
  };
}

const MINIMAL: StagedDeployment = { target: deployment('1', 0), locked: false, unknown: new Map() };

const MEANT: Record<(typeof VECTORS)[number], StagedDeployment> = {
  min: MINIMAL,
  old2020: {
    ...MINIMAL,
    mergeDeployment: deployment('2', 1),
    kargs: ['root=UUID=abc', 'rw', 'quiet'],
  },
  new2026: {
    ...MINIMAL,
    mergeDeployment: deployment('2', 1),
    kargs: ['root=UUID=abc', 'rw', 'quiet'],
    locked: true,
    bootconfigExtra: new Map([['x-options-source-tuned', 'isolcpus=1']]),
  },
  'rpmostree-empty-initrds': {
    ...MINIMAL,
    target: deployment('a', 3),
    kargs: ['root=UUID=abc'],
    locked: true,
    overlayInitrds: [],
  },
};

/** The file with other values in its top map, or in its target. */
function file(
  changes: Record<string, Variant | undefined>,
  inTarget: Record<string, Variant | undefined> = {},
) {
  const top = new Map(Object.entries({ target: wrap('a{sv}', names(inTarget)), ...changes }).filter(present));
  return encode('a{sv}', top);
}

function names(changes: Record<string, Variant | undefined>): Map<string, Variant> {
  const { commit, stateroot, bootChecksum } = MINIMAL.target;
  const own = {
    name: wrap('s', `${commit}.0`),
    osname: wrap('s', stateroot),
    bootcsum: wrap('s', bootChecksum),
  };
  return new Map(Object.entries({ ...own, ...changes }).filter(present));
}

function present(entry: [string, Variant | undefined]): entry is [string, Variant] {
  return entry[1] !== undefined;
}

function refusalOf(bytes: Uint8Array): string {
  const failure = failureOf(() => parseStagedDeployment(bytes, 'FILE'));
  expect(failure.reason).toBe('invalid');
  expect(failure.hint).toBeTruthy();
  expect(failure.message).toMatch(/^FILE[:,] /);
  return failure.message;
}

describe('real files', () => {
  test.each(VECTORS)('%s means what ostree meant, and is written the same way', (name) => {
    const staged = parseStagedDeployment(vector(name), 'FILE');
    expect(staged).toEqual(MEANT[name]);
    expect(Object.keys(staged).sort()).toEqual(Object.keys(MEANT[name]).sort());
    expect(renderStagedDeployment(staged)).toEqual(vector(name));
  });

  test('the order of keys means nothing: locking writes them anew', () => {
    const map = [...Object.entries({ kargs: wrap('as', []), target: wrap('a{sv}', names({})) })];
    expect(parseStagedDeployment(encode('a{sv}', new Map(map)), 'FILE').target).toEqual(MINIMAL.target);
  });

  test('"locked" may be there and false', () => {
    expect(parseStagedDeployment(file({ locked: wrap('b', false) }), 'FILE').locked).toBe(false);
  });
});

describe('unknown keys', () => {
  test('are kept with type and bytes, and written again', () => {
    const odd: Variant = { type: '(tt)', data: Uint8Array.from({ length: 16 }, (_, i) => i) };
    const bytes = file({ 'from-the-future': odd, other: wrap('s', 'x') });
    const staged = parseStagedDeployment(bytes, 'FILE');
    expect(staged.unknown).toEqual(
      new Map([
        ['from-the-future', odd],
        ['other', wrap('s', 'x')],
      ]),
    );
    expect(renderStagedDeployment(staged)).toEqual(bytes);
  });

  test("do not change with the caller's buffer", () => {
    const bytes = Buffer.from(file({ other: wrap('s', 'x') }));
    const staged = parseStagedDeployment(bytes, 'FILE');
    bytes.fill(0xff);
    expect(staged.unknown.get('other')).toEqual(wrap('s', 'x'));
  });

  test('inside a deployment are passed over, as ostree does', () => {
    expect(parseStagedDeployment(file({}, { more: wrap('b', true) }), 'FILE')).toEqual(MINIMAL);
  });

  test('cannot be known ones when written', () => {
    const unknown = new Map([['kargs', wrap('s', 'x')]]);
    expect(failureOf(() => renderStagedDeployment({ ...MINIMAL, unknown })).reason).toBe('invalid');
  });
});

describe('refused is', () => {
  test('a file that names no deployment, an empty one too', () => {
    expect(refusalOf(new Uint8Array())).toBe('FILE: it does not say which deployment is staged');
    expect(refusalOf(file({ target: undefined, kargs: wrap('as', []) }))).toContain('which deployment');
  });

  test.each(['target', 'merge-deployment', 'kargs', 'locked', 'overlay-initrds', 'bootconfig-extra'])(
    'a value of another type for %s',
    (key) => {
      expect(refusalOf(file({ [key]: wrap('s', 'x') }))).toMatch(`FILE, ${key}: the type is "s"`);
    },
  );

  test.each(['name', 'osname', 'bootcsum'])('a deployment without %s, or of another type', (key) => {
    expect(refusalOf(file({}, { [key]: undefined }))).toBe(`FILE, target: ${key} is missing`);
    expect(refusalOf(file({}, { [key]: wrap('as', ['x']) }))).toContain(`FILE, target, ${key}: the type`);
    const merge = wrap('a{sv}', names({ [key]: undefined }));
    expect(refusalOf(file({ 'merge-deployment': merge }))).toBe(`FILE, merge-deployment: ${key} is missing`);
  });

  test('a name that is not COMMIT.SERIAL', () => {
    const commit = 'a'.repeat(64);
    const bad = ['', commit, `${commit}.`, `${commit}.-1`, `${commit}.1\n`, `${commit}.0x1`, `a${commit}.0`];
    const long = [
      `${'A'.repeat(64)}.0`,
      `../${commit}.0`,
      `${commit}.2147483648`,
      `${commit}.${'9'.repeat(400)}`,
    ];
    for (const name of [...bad, ...long]) {
      expect(refusalOf(file({}, { name: wrap('s', name) })), name).toContain('not the name of a deployment');
    }
    const { target } = parseStagedDeployment(file({}, { name: wrap('s', `${commit}.2147483647`) }), 'FILE');
    expect(target).toMatchObject({ commit, serial: 2_147_483_647 });
  });

  test('a stateroot that is not one directory', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', '/', 'a\nb', '\u001b[2J', '\u009b']) {
      const message = refusalOf(file({}, { osname: wrap('s', name) }));
      expect(message).toContain('not the name of a stateroot');
      expect(message).not.toMatch(/\p{Cc}/u);
    }
    for (const name of ['fedora', '...', 'a b', 'fedora-coreos', 'é']) {
      expect(parseStagedDeployment(file({}, { osname: wrap('s', name) }), 'FILE').target.stateroot).toBe(
        name,
      );
    }
  });

  test('a boot checksum that is none', () => {
    for (const text of ['', 'b'.repeat(63), `${'b'.repeat(64)}/..`, 'B'.repeat(64)]) {
      expect(refusalOf(file({}, { bootcsum: wrap('s', text) }))).toContain('not the checksum of a kernel');
    }
  });
});

test('any staged deployment is read as it was written', () => {
  const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
  const names: fc.Arbitrary<DeploymentName> = fc.record({
    stateroot: fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._ -]{0,20}$/),
    commit: hash.map(parseCommit),
    serial: fc.integer({ min: 0, max: 0x7fff_ffff }),
    bootChecksum: hash,
  });
  const maps = fc.array(fc.tuple(strings, strings), { maxLength: 4 }).map((pairs) => new Map(pairs));
  const known = fc.record(
    {
      mergeDeployment: names,
      kargs: fc.array(strings, { maxLength: 8 }),
      overlayInitrds: fc.array(strings, { maxLength: 3 }),
      bootconfigExtra: maps,
    },
    { requiredKeys: [] },
  );
  const unknown = maps.map(
    (map) => new Map([...map].map(([key, value]) => [`x-${key}`, wrap('s', value)] as const)),
  );
  fc.assert(
    fc.property(known, names, fc.boolean(), unknown, (some, target, locked, more) => {
      const staged: StagedDeployment = { ...some, target, locked, unknown: more };
      const bytes = renderStagedDeployment(staged);
      expect(parseStagedDeployment(bytes, 'FILE')).toEqual(staged);
      expect(unwrap('a{sv}', { type: 'a{sv}', data: bytes }, 'FILE').get('target')?.type).toBe('a{sv}');
    }),
    { numRuns: 150 },
  );
});
