import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOrigin } from '../../../src/formats/origin.ts';
import { parseCommit } from '../../../src/model/names.ts';
import {
  chooseDeployment,
  planAdopt,
  refOf,
  removalCommands,
  requestsOf,
  type Candidate,
} from '../../../src/plan/adoption.ts';
import { failureOf } from '../failures.ts';
import { CONTAINER, LAYERED, PLAIN } from '../formats/origins.ts';
import { actions, definition, definitionText, packages } from './states.ts';

const id = (digit: string, serial = 0): string => `${digit.repeat(64)}.${serial}`;
const staged = (name = id('a')): Candidate => candidate(name, 'staged', 0);
const listed = (index: number, name: string): Candidate => candidate(name, 'listed', index);
const unlisted = (name: string, madeAt: number): Candidate => ({ ...candidate(name, 'unlisted'), madeAt });

function candidate(name: string, place: Candidate['place'], index?: number): Candidate {
  return { id: name, place, index, madeAt: 0, mergeFrom: undefined };
}

const chosen = (...candidates: Candidate[]): string =>
  chooseDeployment('guest', candidates, undefined).chosen.id;

describe('of several deployments', () => {
  test('the staged one is taken before a listed one, and that before one that is left over', () => {
    const left = unlisted(id('c'), 9e12);
    expect(chosen(left, listed(2, id('b')), staged())).toBe(id('a'));
    expect(chosen(left, listed(2, id('b')))).toBe(id('b'));
    expect(chosen(left)).toBe(id('c'));
  });

  test('the first of the list is taken, whatever its checksum', () => {
    expect(chosen(listed(3, id('a')), listed(1, id('f')), listed(10, id('b')))).toBe(id('f'));
  });

  test('the newest that is left over is taken, and of one moment the one with the higher serial', () => {
    expect(chosen(unlisted(id('a'), 5), unlisted(id('b'), 7), unlisted(id('c'), 6))).toBe(id('b'));
    expect(chosen(unlisted(id('a', 9), 5), unlisted(id('a', 10), 5))).toBe(id('a', 10));
  });

  test('the one that is asked for is taken, and the others are named', () => {
    const all = [staged(), listed(1, id('b')), unlisted(id('c'), 1)];
    const choice = chooseDeployment('guest', all, id('c'));
    expect(choice.chosen.id).toBe(id('c'));
    expect(choice.others.map((each) => each.id)).toEqual([id('a'), id('b')]);
  });

  test('the choice does not depend on their order', () => {
    const all = [
      staged(),
      listed(1, id('b')),
      listed(2, id('d')),
      unlisted(id('c'), 1),
      unlisted(id('e'), 2),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 1 }), (some) => {
        expect(chosen(...some)).toBe(chosen(...some.toReversed()));
        expect(chooseDeployment('guest', some, undefined).others).toHaveLength(some.length - 1);
      }),
    );
  });

  test('one that is not there is refused with those that are', () => {
    const failure = failureOf(() => chooseDeployment('guest', [listed(1, id('b'))], 'x\u001b.0'));
    expect(failure).toMatchObject({ reason: 'not-found', hint: `There are: ${id('b')}` });
    expect(failure.message).not.toContain('\u001b');
    expect(failureOf(() => chooseDeployment('guest', [], undefined)).message).toContain('has no deployment');
  });
});

describe('the requests of an origin', () => {
  test('are packages, and all that a guest cannot have is named', () => {
    const { packages: kept, warnings } = requestsOf(parseOrigin(LAYERED, 'x'));
    expect(kept).toEqual(['htop', 'zsh']);
    expect(warnings).toEqual([
      expect.stringMatching(/local files .*"tree-2:2.1.0-7.fc42.x86_64", "motd-1-1.noarch"$/),
      expect.stringMatching(/removed .*"nano"$/),
      expect.stringMatching(/replaced .*"less-1:661-1.fc42.x86_64", "bash", "kernel", "kernel-core"$/),
      expect.stringMatching(/initramfs/),
      expect.stringMatching(/no longer stay at commit 0123456789ab$/),
    ]);
  });

  test('that are no names of packages are named, and never reach a command line', () => {
    const origin = parseOrigin(`${PLAIN}\n[packages]\nrequested=vim;-y;/usr/bin/git;@core;vim;\n`, 'x');
    expect(requestsOf(origin)).toEqual({
      packages: ['vim'],
      warnings: ['requests that are not names of packages are not kept: "-y", "/usr/bin/git", "@core"'],
    });
  });

  test('of a plain one are none', () => {
    expect(requestsOf(parseOrigin(PLAIN, 'x'))).toEqual({ packages: [], warnings: [] });
  });
});

describe('the ref that an origin follows', () => {
  const follow = (refspec: string): unknown => refOf(parseOrigin(`[origin]\nrefspec=${refspec}\n`, 'x'));

  test.each([
    ['fedora:fedora/42/x86_64/iot', { remote: 'fedora', ref: 'fedora/42/x86_64/iot' }],
    ['local/debian', { remote: undefined, ref: 'local/debian' }],
    ['a'.repeat(64), undefined],
    [`fedora:${'a'.repeat(64)}`, undefined],
    ['fedora:../x', undefined],
    ['-x:y', undefined],
    ['ostree://fedora:x', undefined],
  ])('%s', (refspec, expected) => {
    expect(follow(refspec)).toEqual(expected);
  });

  test('is none for a container image', () => {
    expect(refOf(parseOrigin(CONTAINER, 'x'))).toBeUndefined();
  });
});

describe('the plan of adopt', () => {
  const [commit, base] = [parseCommit('c'.repeat(64)), parseCommit('b'.repeat(64))];
  const adoption = { definition, stateroot: 'guest', deployments: [id('c')], commit, base, kept: true };
  const plan = planAdopt({ ...adoption, packages: packages('vim'), start: false });

  test('has its data on the disk before the swap makes the guest whole', () => {
    expect(plan).toMatchObject({ operation: 'adopt', guest: 'mail' });
    expect(actions(plan)).toEqual([
      ...['prepare-host', 'make-sysroot', 'define', 'adopt-tree', 'deploy', 'adopt-data', 'render'],
      ...['swap', 'link', 'reload', 'settle'],
    ]);
  });

  test('names commits, deployments and requests, so that any step can be repeated', () => {
    expect(plan.steps).toContainEqual({
      action: 'adopt-tree',
      guest: 'mail',
      generation: 1,
      commit,
      base,
      kept: true,
    });
    expect(plan.steps).toContainEqual({
      ...{ action: 'adopt-data', guest: 'mail', stateroot: 'guest' },
      deployments: [id('c')],
    });
    expect(plan.steps).toContainEqual({
      ...{ action: 'render', guest: 'mail', generation: 1, origin: 'adopt' },
      ...{ requested: ['vim'], overrides: { removed: [], replaced: [] }, definition: definitionText },
    });
    expect(JSON.parse(JSON.stringify(plan.steps.slice(3, 4)))).toEqual(plan.steps.slice(3, 4));
  });

  test('starts the guest at last if it is asked to', () => {
    expect(actions(planAdopt({ ...adoption, packages: [], start: true })).at(-1)).toBe('boot');
  });
});

describe('the commands that remove a stateroot', () => {
  test('undeploy from the end of the list, and let a cleanup take what is in no list', () => {
    expect(removalCommands('guest', [staged(), listed(3, id('b')), unlisted(id('c'), 1)])).toEqual([
      'ostree admin undeploy 3',
      'ostree admin undeploy 0',
      'ostree admin cleanup',
      'rm -r /sysroot/ostree/deploy/guest',
    ]);
    expect(removalCommands('guest', [listed(1, id('b'))])).toEqual([
      'ostree admin undeploy 1',
      'rm -r /sysroot/ostree/deploy/guest',
    ]);
  });
});
