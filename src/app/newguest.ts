import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import { guestPaths, type Paths } from '../model/paths.ts';
import { exists, readLinkOptional } from '../system/files.ts';

/** Refuses a name under which there is a guest already, or somebody else's machine. */
export async function requireFreeName(paths: Paths, name: GuestName): Promise<void> {
  const places = guestPaths(paths, name);
  for (const path of [places.root, places.definition, places.machineLink, places.nspawnLink]) {
    // A link that leads nowhere is somebody's too.
    if (!(await exists(path)) && (await readLinkOptional(path)) === undefined) continue;
    throw new Failure(
      'conflict',
      path === places.root ? `the guest "${name}" exists already` : `${path} exists already`,
      {
        guest: name,
        hint:
          path === places.root
            ? `See: guestree status ${name}. Remove it with: guestree remove ${name}`
            : 'It belongs to another machine: choose another name, or move it away.',
      },
    );
  }
}
