import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newOrigin, parseOrigin, renderOrigin, type Origin } from '../../../src/formats/origin.ts';
import { parseCommit } from '../../../src/model/names.ts';
import { failureOf } from '../failures.ts';
import { CONTAINER, EDITED, LAYERED, ORIGINS, PLAIN } from './origins.ts';

const SHA256 = 'c0ffee00'.repeat(8);

function parse(...lines: string[]): Origin {
  return parseOrigin(`${lines.join('\n')}\n`, 'FILE');
}

function refusalOf(...lines: string[]): string {
  const failure = failureOf(() => parse(...lines));
  expect(failure.reason).toBe('invalid');
  expect(failure.hint).toBeTruthy();
  return failure.message;
}

/** fast-check likes objects without a prototype, which are never equal to parsed ones. */
const PLAIN_OBJECTS = { noNullPrototype: true } as const;

const { base: anyBase, text: noText, ...NOTHING_ON_TOP } = newOrigin('any');

test('a new origin has a ref and no text yet', () => {
  expect({ anyBase, noText }).toEqual({ anyBase: { kind: 'refspec', refspec: 'any' }, noText: '' });
});

describe('reading', () => {
  test('a plain tree', () => {
    expect(parseOrigin(PLAIN, 'FILE')).toEqual({
      ...NOTHING_ON_TOP,
      base: { kind: 'refspec', refspec: 'fedora:fedora/42/x86_64/silverblue' },
      text: PLAIN,
    });
  });

  test('everything that rpm-ostree can put on top', () => {
    expect(parseOrigin(LAYERED, 'FILE')).toEqual({
      base: { kind: 'refspec', refspec: 'fedora:fedora/42/x86_64/silverblue' },
      overrideCommit: '0123456789abcdef'.repeat(4),
      customUrl: 'https://example.org/os',
      customDescription: 'Spring edition',
      requested: ['htop', 'zsh'],
      requestedLocal: [{ sha256: SHA256, nevra: 'tree-2:2.1.0-7.fc42.x86_64' }],
      requestedLocalFileOverride: [{ sha256: SHA256, nevra: 'motd-1-1.noarch' }],
      overrideRemove: ['nano'],
      overrideReplaceLocal: [{ sha256: SHA256, nevra: 'less-1:661-1.fc42.x86_64' }],
      overrideReplace: [
        { repo: 'updates-testing', packages: ['bash'] },
        { repo: 'copr', packages: ['kernel', 'kernel-core'] },
      ],
      regenerateInitramfs: true,
      initramfsArgs: ['--add', 'network'],
      initramfsEtc: ['/etc/crypttab', '/etc/vconsole.conf'],
      pinned: false,
      text: LAYERED,
    });
  });

  test('a container image', () => {
    const image = 'ostree-image-signed:docker://quay.io/fedora/fedora-silverblue:42';
    expect(parseOrigin(CONTAINER, 'FILE').base).toEqual({ kind: 'container', image });
  });

  test('a file that was edited by hand', () => {
    expect(parseOrigin(EDITED, 'FILE')).toMatchObject({
      base: { kind: 'refspec', refspec: 'local/debian/x86_64' },
      pinned: true,
    });
  });
});

describe('refused is', () => {
  test('an origin with no base or more than one', () => {
    expect(refusalOf('[origin]')).toContain('none of refspec, baserefspec, container-image-reference');
    expect(refusalOf('')).toContain('none of');
    for (const key of ['refspec', 'baserefspec']) {
      expect(refusalOf('[origin]', `${key}=a`, 'container-image-reference=b')).toContain(
        `both ${key} and container-image-reference`,
      );
    }
    expect(refusalOf('[origin]', 'refspec=a', 'baserefspec=b')).toContain('both refspec and baserefspec');
    expect(refusalOf('[origin]', 'refspec=')).toContain('is not a name');
  });

  test.each([
    ['override-commit', '[origin]', 'override-commit=abc'],
    ['requested-local', '[packages]', 'requested-local=htop'],
    ['requested-local', '[packages]', 'requested-local=foo:bar'],
    ['requested-local', '[packages]', `requested-local=${SHA256}:`],
    ['requested-local-fileoverride', '[packages]', `requested-local-fileoverride=${SHA256}`],
    ['replace-local', '[overrides]', `replace-local=${SHA256.toUpperCase()}:x`],
    ['replace', '[overrides]', 'replace=updates,bash'],
    ['replace', '[overrides]', 'replace=repo=,bash'],
    ['replace', '[overrides]', 'replace=repo=a,'],
    ['requested', '[packages]', 'requested=a;;b'],
    ['requested', '[packages]', 'requested=a\\nb'],
    ['\\\\q', '[packages]', 'requested=a\\qb'],
    ['neither true nor false', '[rpmostree]', 'regenerate-initramfs=maybe'],
    ['neither true nor false', '[libostree-transient]', 'pinned='],
  ])('a bad value: %s in %s %s', (named, group, line) => {
    expect(refusalOf('[origin]', 'refspec=x', group, line)).toContain(named);
  });
});

describe('writing', () => {
  test('gives back the text of an origin that was not changed', () => {
    for (const text of ORIGINS) expect(renderOrigin(parseOrigin(text, 'FILE'))).toBe(text);
    const odd = '[origin]\nbaserefspec = x\n[packages]\nrequested= a;b\n';
    expect(renderOrigin(parseOrigin(odd, 'FILE'))).toBe(odd);
  });

  test('calls the ref baserefspec as soon as something is on top, and refspec again afterwards', () => {
    const plain = parseOrigin(EDITED, 'FILE');
    const layered = renderOrigin({ ...plain, requested: ['htop', 'zsh'] });
    expect(layered).toBe(
      `${EDITED.replace('refspec = local', 'baserefspec=local')}\n[packages]\nrequested=htop;zsh;\n`,
    );
    const back = renderOrigin({ ...parseOrigin(layered, 'FILE'), requested: [] });
    expect(back).toBe(EDITED.replace('refspec = local', 'refspec=local'));
  });

  test('knows what counts as on top', () => {
    const plain = parseOrigin(PLAIN, 'FILE');
    const local = [{ sha256: SHA256, nevra: 'a-1-1.noarch' }];
    const onTop: Partial<Origin>[] = [
      { requested: ['a'] },
      { requestedLocal: local },
      { requestedLocalFileOverride: local },
      { overrideRemove: ['a'] },
      { overrideReplaceLocal: local },
      { overrideReplace: [{ repo: 'r', packages: ['a'] }] },
      { regenerateInitramfs: true },
      { initramfsEtc: ['/etc/a'] },
      { text: `${PLAIN}[rpmostree]\nex-cliwrap=true\n` },
    ];
    const notOnTop: Partial<Origin>[] = [
      { overrideReplace: [{ repo: 'r', packages: [] }] },
      { initramfsArgs: ['--add'] },
      { pinned: true },
      { overrideCommit: parseCommit('a'.repeat(64)) },
      { customUrl: 'https://example.org' },
    ];
    for (const change of onTop) expect(renderOrigin({ ...plain, ...change })).toMatch(/^baserefspec=/m);
    for (const change of notOnTop) expect(renderOrigin({ ...plain, ...change })).toMatch(/^refspec=/m);
    const image = parseOrigin(CONTAINER, 'FILE');
    expect(renderOrigin({ ...image, requested: ['a'] })).not.toContain('refspec');
  });

  test('can rebase from a ref to an image and back', () => {
    const plain = parseOrigin(PLAIN, 'FILE');
    const image = renderOrigin({ ...plain, base: { kind: 'container', image: 'docker://x' } });
    expect(image).toBe('[origin]\ncontainer-image-reference=docker://x\n');
    expect(renderOrigin({ ...parseOrigin(image, 'FILE'), base: plain.base })).toBe(PLAIN);
  });

  test('pins and unpins, and leaves no empty group', () => {
    const pinned = renderOrigin({ ...parseOrigin(PLAIN, 'FILE'), pinned: true });
    expect(pinned).toBe(`${PLAIN}\n[libostree-transient]\npinned=true\n`);
    expect(renderOrigin({ ...parseOrigin(pinned, 'FILE'), pinned: false })).toBe(PLAIN);
  });

  test('makes a new file', () => {
    const base = { kind: 'refspec', refspec: 'a:b' } as const;
    expect(renderOrigin({ ...NOTHING_ON_TOP, base, text: '' })).toBe('[origin]\nrefspec=a:b\n');
  });

  test('refuses what would be read as something else', () => {
    const plain = parseOrigin(PLAIN, 'FILE');
    const bad: Partial<Origin>[] = [
      { overrideReplace: [{ repo: 'a', packages: ['b,c'] }] },
      { overrideReplace: [{ repo: 'a,b', packages: [] }] },
      { overrideReplace: [{ repo: '', packages: ['a'] }] },
      { requestedLocal: [{ sha256: 'abc', nevra: 'x' }] },
      { requested: [''] },
      { requested: ['a\nb'] },
      { requested: ['\0'] },
      { base: { kind: 'refspec', refspec: '' } },
      { base: { kind: 'container', image: '\ud800' } },
    ];
    for (const change of bad) {
      expect(failureOf(() => renderOrigin({ ...plain, ...change })).reason).toBe('invalid');
    }
  });

  test('any origin is read as it was written, over any file', () => {
    const words = fc.string({ minLength: 1, maxLength: 8 }).filter((word) => !word.includes(','));
    const hashes = fc.constantFrom(SHA256, 'a'.repeat(64));
    const lists = fc.array(words, { maxLength: 3 });
    const locals = fc.array(fc.record({ sha256: hashes, nevra: words }, PLAIN_OBJECTS), { maxLength: 2 });
    const maybe = fc.option(words, { nil: undefined });
    const origins: fc.Arbitrary<Origin> = fc.record(
      {
        base: fc.oneof(
          fc.record({ kind: fc.constant('refspec' as const), refspec: words }, PLAIN_OBJECTS),
          fc.record({ kind: fc.constant('container' as const), image: words }, PLAIN_OBJECTS),
        ),
        overrideCommit: fc.option(hashes.map(parseCommit), { nil: undefined }),
        customUrl: maybe,
        customDescription: maybe,
        requested: lists,
        requestedLocal: locals,
        requestedLocalFileOverride: locals,
        overrideRemove: lists,
        overrideReplaceLocal: locals,
        overrideReplace: fc.array(fc.record({ repo: words, packages: lists }, PLAIN_OBJECTS), {
          maxLength: 2,
        }),
        regenerateInitramfs: fc.boolean(),
        initramfsArgs: fc.array(fc.oneof(words, fc.constant('')), { maxLength: 3 }),
        initramfsEtc: lists,
        pinned: fc.boolean(),
        text: fc.constantFrom(...ORIGINS, ''),
      },
      PLAIN_OBJECTS,
    );
    fc.assert(
      fc.property(origins, (origin) => {
        const text = renderOrigin(origin);
        expect(parseOrigin(text, 'FILE')).toEqual({ ...origin, text });
        if (origin.text === EDITED) expect(text).toContain('# the ref that we follow');
      }),
      { numRuns: 200 },
    );
  });
});
