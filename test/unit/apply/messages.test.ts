import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MESSAGE_IDS } from '../../../src/apply/messages.ts';

test('every MESSAGE_ID is a 128-bit id of its own, and documented', () => {
  const ids = Object.values(MESSAGE_IDS);
  expect(new Set(ids).size).toBe(ids.length);
  const documented = readFileSync(new URL('../../../docs/update-and-rollback.md', import.meta.url), 'utf8');
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(documented).toContain(id);
  }
});
