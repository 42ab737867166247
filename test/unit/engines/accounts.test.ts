import { expect, test } from 'vitest';
import { movedAccounts } from '../../../src/engines/rpmostree/accounts.ts';

const registry = {
  passwd: ['root:x:0:0::/root:/bin/sh', 'hello:x:995:995::/:/x'],
  group: ['hello:x:995:', 'gone:x:7:'],
};

test('accounts that keep their number, are new, or are gone are no news', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nhello:x:995:995::/:/x\nnew:x:994:994::/:/x\n';
  expect(movedAccounts(registry, { passwd, group: 'hello:x:995:\n' })).toEqual([]);
});

test('a changed number is told with both', () => {
  const found = movedAccounts(registry, { passwd: 'hello:x:990:995::/:/x\n', group: 'hello:x:991:\n' });
  expect(found).toEqual([
    expect.stringMatching(/^The user hello had the number 995 and has 990 /),
    expect.stringMatching(/^The group hello had the number 995 and has 991 /),
  ]);
});
