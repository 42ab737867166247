import * as z from 'zod';

/** What an unattended upgrade can come to. */
const RUN_RESULTS = ['switched', 'staged', 'waiting', 'unchanged', 'held', 'failed'] as const;

/** What came of the last unattended upgrade of a guest: `STATE/guests/NAME/unattended.json`. */
const schema = z.object({
  version: z.literal(1),
  time: z.iso.datetime(),
  result: z.enum(RUN_RESULTS),
  /** The generation that was switched to, or that waits. */
  generation: z.number().int().optional(),
  /** Why it was held back, or why it failed. */
  message: z.string().optional(),
  /** A generation that could not be switched to: it is not tried again without somebody asking. */
  refused: z.number().int().optional(),
});

export type LastRun = z.infer<typeof schema>;

/** Undefined for a text that is none: it is only remembered, and the next run writes it anew. */
export function parseLastRun(text: string): LastRun | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function renderLastRun(run: LastRun): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}
