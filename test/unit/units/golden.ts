import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

const DIRECTORY = new URL('../../fixtures/units/', import.meta.url);

/** Compares with a file of test/fixtures/units that a person has read and found right. */
export function expectGolden(name: string, text: string): void {
  expect(text).toBe(readFileSync(new URL(name, DIRECTORY), 'utf8'));
}
