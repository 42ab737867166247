import { describe, expect, test } from 'vitest';
import { parseCommit } from '../../../src/model/names.ts';
import { inspectCommit, parseParent } from '../../../src/system/commit.ts';
import { failureOfLater } from '../../unit/failures.ts';
import { recorded, replay } from '../recorded.ts';

const COMMIT = parseCommit('a'.repeat(64));
const SHOW = `ostree --repo=/r show ${COMMIT}`;
const KEY = `ostree --repo=/r show --print-metadata-key=rpmostree.clientlayer ${COMMIT}`;
const noKey = { exitCode: 1, stderr: recorded('ostree-2022.7-show-metadata-missing.stderr.txt') };
const text = recorded('ostree-2022.7-show-parent.txt');
const parent = parseParent(text);

describe('a commit', () => {
  test('with layers has its base as parent', async () => {
    const layer = recorded('ostree-2022.7-show-clientlayer.txt');
    const runner = replay({ [SHOW]: { stdout: text }, [KEY]: { stdout: layer } });
    expect(parent).toMatch(/^[0-9a-f]{64}$/);
    expect(await inspectCommit(runner, '/r', COMMIT)).toEqual({ parent, layered: true });
  });

  test('of an earlier one is no layer', async () => {
    const runner = replay({ [SHOW]: { stdout: text }, [KEY]: noKey });
    expect(await inspectCommit(runner, '/r', COMMIT)).toEqual({ parent, layered: false });
  });

  test('can be without a parent, whatever its author wrote', () => {
    const alone = recorded('ostree-2022.7-show.txt');
    expect(parseParent(alone)).toBeUndefined();
    expect(parseParent(`${alone}\nParent:  ${'b'.repeat(64)}\n`)).toBeUndefined();
  });

  test('that the repository does not have is undefined, and a broken repository is a failure', async () => {
    const missing = { exitCode: 1, stderr: recorded('ostree-2022.7-show-metadata-nothing.stderr.txt') };
    expect(await inspectCommit(replay({ [KEY]: missing }), '/r', COMMIT)).toBeUndefined();
    const broken = replay({ [KEY]: { exitCode: 1, stderr: 'error: opening repo: no such directory\n' } });
    expect((await failureOfLater(inspectCommit(broken, '/r', COMMIT))).message).toContain('opening repo');
  });
});
