import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../../src/model/failure.ts';
import type { UserFiles } from '../../../src/tree/ids.ts';
import { mergeUsers } from '../../../src/tree/merge.ts';

const OLD: UserFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\n',
  group: 'root:x:0:\nadm:x:4:\n',
  shadow: 'root:*:19000:0:99999:7:::\n',
  gshadow: 'root:*::\nadm:*::\n',
};

const NEW: UserFiles = {
  passwd: `${OLD.passwd}postfix:x:101:103::/var/spool/postfix:/usr/sbin/nologin\n`,
  group: 'root:x:0:\nadm:x:4:postfix\npostfix:x:103:\npostdrop:x:104:\n',
  shadow: `${OLD.shadow}postfix:!:19001::::::\n`,
  gshadow: 'root:*::\nadm:*::postfix\npostfix:!::\npostdrop:!::\n',
};

/** A guest whose administrator did things by hand. */
const LOCAL: UserFiles = {
  passwd:
    '# do not touch\nroot:x:0:0:root:/root:/bin/zsh\nalice:x:1000:1000:Alice:/home/alice:/bin/bash\nbroken line\n',
  group: 'adm:x:4:alice\nroot:x:0:\nalice:x:1000:\n',
  shadow: 'root:$6$salt$hash:19500:0:99999:7:::\nalice:$6$x$y:19500::::::\n',
  gshadow: 'adm:*::alice\nroot:*::\nalice:!::\n',
};

describe('mergeUsers', () => {
  test('brings accounts of a new package to a guest that changed its files', () => {
    expect(mergeUsers(LOCAL, OLD, NEW)).toEqual({
      passwd: `${LOCAL.passwd}postfix:x:101:103::/var/spool/postfix:/usr/sbin/nologin\n`,
      group: 'adm:x:4:alice,postfix\nroot:x:0:\nalice:x:1000:\npostfix:x:103:\npostdrop:x:104:\n',
      shadow: `${LOCAL.shadow}postfix:!:19001::::::\n`,
      gshadow: 'adm:*::alice,postfix\nroot:*::\nalice:!::\npostfix:!::\npostdrop:!::\n',
    });
  });

  test('does nothing to files that have everything', () => {
    expect(mergeUsers(NEW, OLD, NEW)).toEqual(NEW);
    expect(mergeUsers(LOCAL, OLD, OLD)).toEqual(LOCAL);
  });

  test('a member that the administrator removed stays removed', () => {
    const local = { ...NEW, group: NEW.group.replace('adm:x:4:postfix', 'adm:x:4:') };
    expect(mergeUsers(local, NEW, NEW).group).toBe(local.group);
  });

  test('without an old tree, groups that are there keep their members', () => {
    expect(mergeUsers(LOCAL, undefined, NEW).group).toContain('adm:x:4:alice\n');
  });

  test('a text without a last newline gets one before the new lines', () => {
    expect(mergeUsers({ ...LOCAL, passwd: OLD.passwd.trimEnd() }, OLD, NEW).passwd).toBe(NEW.passwd);
  });

  test.each([
    [
      'passwd',
      'mallory:x:101:100::/:/bin/sh\n',
      /user "postfix" with uid 101, which the guest has given to "mallory"/,
    ],
    ['group', 'devs:x:104:\n', /group "postdrop" with gid 104, which the guest has given to "devs"/],
  ] as const)('a number that is taken in %s is a conflict', (file, line, says) => {
    const merge = (): UserFiles => mergeUsers({ ...LOCAL, [file]: `${LOCAL[file]}${line}` }, OLD, NEW);
    expect(merge).toThrow(says);
    expect(merge).toThrow(Failure);
  });

  test('two names for one number are no conflict where the tree has both', () => {
    const passwd = `${NEW.passwd}toor:x:0:0::/root:/bin/sh\n`;
    expect(mergeUsers(LOCAL, OLD, { ...NEW, passwd }).passwd).toContain('toor:x:0:0');
  });

  test('local lines stay as they are and in their order, and every name of the tree is there', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-f]{1,2}$/), { maxLength: 8 });
    // Numbers follow from names, so that there are no clashes.
    const passwd = (list: string[]): string =>
      list.map((name) => `${name}:x:${parseInt(name, 16) + name.length * 1000}:0::/:\n`).join('');
    const files = (list: string[]): UserFiles => ({
      passwd: passwd(list),
      group: '',
      shadow: '',
      gshadow: '',
    });
    fc.assert(
      fc.property(names, names, names, (local, before, after) => {
        const merged = mergeUsers(files(local), files(before), files(after)).passwd;
        expect(merged.startsWith(passwd(local))).toBe(true);
        const present = merged.split('\n').map((line) => line.split(':')[0]);
        for (const name of after) expect(present).toContain(name);
        expect(mergeUsers({ ...files([]), passwd: merged }, files(before), files(after)).passwd).toBe(merged);
      }),
    );
  });
});
