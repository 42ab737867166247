import * as z from 'zod';
import { Failure } from './failure.ts';

/**
 * A tree that failed: `upgrade` does not take it again by itself. It is known by its content, so that building the same
 * tree once more changes nothing.
 */
const schema = z.object({
  time: z.iso.datetime(),
  generation: z.number().int().min(1),
  tree: z.string().regex(/^[0-9a-f]{64}$/),
  /** Checksum of the tree's content, whatever its commit says besides. */
  content: z.string(),
  /** In which step it failed. */
  phase: z.enum(['preflight', 'start', 'health']),
  why: z.string(),
  /** Whether the user has said that it was seen. */
  seen: z.boolean(),
});

export type Quarantine = z.infer<typeof schema>;

export function parseQuarantines(text: string, path: string): Quarantine[] {
  try {
    return z.array(schema).parse(JSON.parse(text));
  } catch (error) {
    throw new Failure('invalid', `${path} is damaged: it does not say which trees failed`, {
      cause: error,
      hint: `Move it away: no tree is in quarantine then, and an upgrade may take one that failed again.`,
    });
  }
}

export function renderQuarantines(quarantines: readonly Quarantine[]): string {
  return `${JSON.stringify(quarantines, null, 2)}\n`;
}
