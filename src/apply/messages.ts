import type { GuestName } from '../model/names.ts';
import { writeJournalEntry } from '../system/journalentry.ts';
import type { Effects } from './effects.ts';

/**
 * What guestree tells the host's journal, by MESSAGE_ID (systemd.journal-fields(7)): 128-bit ids made once with
 * `systemd-id128 new`. `journalctl MESSAGE_ID=…` finds them; docs/update-and-rollback.md lists them.
 */
export const MESSAGE_IDS = {
  /** A switch was made. */
  switched: '7971b7700d7546f1bd0b346aea984381',
  /** A new generation failed its preflight; the running one was not touched. */
  'preflight-failed': 'eafe133aa7ec49b1bcda87608969b286',
  /** A new generation failed after the switch; the one before runs again. */
  'rolled-back': '4aa270cd6da8472286b80c3a683e5987',
} as const;

export interface Message {
  guest: GuestName;
  generation: number;
  previous: number | undefined;
  text: string;
  downtimeMs?: number | undefined;
}

/** Warnings are PRIORITY 3 (err), switches 5 (notice): syslog(3). */
export async function tellJournal(
  effects: Effects,
  message: keyof typeof MESSAGE_IDS,
  { guest, generation, previous, text, downtimeMs }: Message,
): Promise<void> {
  await writeJournalEntry(effects.runner, {
    MESSAGE_ID: MESSAGE_IDS[message],
    PRIORITY: message === 'switched' ? '5' : '3',
    MESSAGE: text,
    GUESTREE_GUEST: guest,
    GUESTREE_GENERATION: String(generation),
    ...(previous === undefined ? {} : { GUESTREE_PREVIOUS: String(previous) }),
    ...(downtimeMs === undefined ? {} : { GUESTREE_DOWNTIME_MS: String(downtimeMs) }),
  });
}
