import * as z from 'zod';
import type { SwitchEvent } from '../plan/state.ts';
import { appendSynced, readOptional } from '../system/files.ts';

const examined = z.object({
  passed: z.boolean(),
  milliseconds: z.number(),
  checks: z.array(
    z.object({
      name: z.string(),
      wanted: z.boolean(),
      passed: z.boolean(),
      message: z.string().optional(),
    }),
  ),
});

const schema = z.object({
  time: z.iso.datetime(),
  generation: z.number().int(),
  previous: z.number().int().optional(),
  reason: z.string(),
  downtimeMs: z.number().optional(),
  failed: z.enum(['preflight', 'start', 'health']).optional(),
  why: z.string().optional(),
  preflight: examined.optional(),
  unproven: z.string().optional(),
  health: examined.optional(),
});

/** The guest's event log; a line that a power cut left incomplete is passed over. */
export async function readEvents(path: string): Promise<SwitchEvent[]> {
  const text = (await readOptional(path)) ?? '';
  return text.split('\n').flatMap((line) => parseEvent(line) ?? []);
}

function parseEvent(line: string): SwitchEvent | undefined {
  try {
    const event = schema.safeParse(JSON.parse(line));
    if (!event.success) return undefined;
    return { ...event.data, previous: event.data.previous, downtimeMs: event.data.downtimeMs };
  } catch {
    return undefined;
  }
}

/** How many lines of an event log hold something that is no event. */
export function unreadableEvents(text: string): number {
  return text.split('\n').filter((line) => line.trim() !== '' && parseEvent(line) === undefined).length;
}

export async function appendEvent(path: string, event: SwitchEvent): Promise<void> {
  const text = (await readOptional(path)) ?? '';
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  await appendSynced(path, `${separator}${JSON.stringify(event)}\n`);
}
