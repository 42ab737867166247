import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { Failure } from '../model/failure.ts';
import { exists, readOptional, syncDirectory, writeFileAtomic } from '../system/files.ts';

/**
 * What the host had when a guard window was opened: on the disk, and synced, before anything of the host is touched. As
 * long as this file is there the window is open, and whoever finds it gives the host back what it says.
 */
const schema = z.object({
  version: z.literal(1),
  guest: z.string(),
  /** The stateroot that the guest's tree is staged in. */
  stateroot: z.string().regex(/^guestree-[A-Za-z0-9._-]+$/),
  bootId: z.string(),
  openedAt: z.string(),
  /** The refs of the host's rpm-ostree, `rpmostree/…`: it adds some for what it layers. */
  refs: z.record(z.string(), z.string()),
  /**
   * Set while the host's own deployment is being staged again: what is staged then is not yet what was saved, it lacks
   * the lock and the keys that only its maker knew. Tells that state from an update that somebody else staged.
   */
  restaging: z.literal(true).optional(),
  /** The host's own staged deployment. */
  host: z
    .object({
      /** The staged file, base64. */
      file: z.base64(),
      lockMarker: z.boolean(),
      origin: z.string(),
      /** The deployment that the host ran from, `STATEROOT/CSUM.SERIAL`. */
      booted: z.string().optional(),
      /** Deployments that the boot menu had then, `STATEROOT/CSUM.SERIAL`. */
      menu: z.array(z.string()),
    })
    .nullable(),
});

export type SavedWindow = z.infer<typeof schema>;

/** The open window, or undefined. @throws Failure `guard` if the file is damaged */
export async function readSaved(path: string): Promise<SavedWindow | undefined> {
  const text = await readOptional(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure('guard', `${path} is damaged: it does not say what the host had staged`, {
      cause: error,
      hint: 'See what the host has with: ostree admin status. Then move the file away and run: guestree guard --repair',
    });
  }
}

export async function writeSaved(path: string, saved: SavedWindow): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(saved, null, 2)}\n`, 0o600);
}

export async function removeSaved(path: string): Promise<void> {
  await rm(path, { force: true });
  if (await exists(dirname(path))) await syncDirectory(dirname(path));
}
