import { mkdir, readFile, rm } from 'node:fs/promises';
import { baseRef, treeRef } from '../model/paths.ts';
import type { StepArguments } from '../plan/step.ts';
import { exists, makeDirectories, writeFileAtomic } from '../system/files.ts';
import { placesOf, sharingPool, sysrootOf } from './effects.ts';
import type { Executor } from './executors.ts';
import { readCurrent, readDefinition } from './observe.ts';
import { isQuarantined } from './quarantine.ts';
import { releasePair } from './pairs.ts';

export const makeSysroot: Executor<StepArguments['make-sysroot']> = {
  async apply({ guest }, effects) {
    const places = placesOf(effects, guest);
    // Only a first try that was cut off can have left something here: create refuses a guest that exists.
    await rm(places.root, { recursive: true, force: true });
    await makeDirectories(places.generations);
    await mkdir(places.sysroot);
    const sysroot = sysrootOf(effects, guest);
    await sysroot.init(guest);
    // journald keeps a journal over boots where this directory exists (journald.conf(5), Storage=auto).
    await makeDirectories(`${sysroot.variable(guest)}/log/journal`);
    const id = (await readFile('/proc/sys/kernel/random/uuid', 'utf8')).trim().replaceAll('-', '');
    await writeFileAtomic(places.machineId, `${id}\n`);
    return undefined;
  },
  async undo({ guest }, effects) {
    await releasePair(effects, guest);
    await rm(placesOf(effects, guest).root, { recursive: true, force: true });
  },
};

export const fetchBase: Executor<StepArguments['fetch-base']> = {
  async apply({ guest, generation, from }, effects) {
    const ref = baseRef(guest, generation);
    if (typeof from === 'number') {
      await effects.pool.setRef(ref, await effects.pool.require(baseRef(guest, from)));
      return undefined;
    }
    const { source } = await readDefinition(effects.paths, guest);
    const detail = (line: string): void => effects.progress.detail(line);
    const warning = (text: string): void => effects.progress.warning(text);
    await sharingPool(effects, async () => {
      const commit =
        from === 'source'
          ? await effects.layering.fetchBase(source, detail, warning)
          : await effects.layering.refreshBase(source, detail, warning);
      await effects.pool.setRef(ref, commit);
    });
    return undefined;
  },
  async undo({ guest, generation }, effects) {
    if (await exists(effects.pool.path)) await effects.pool.deleteRef(baseRef(guest, generation));
  },
};

export const layer: Executor<StepArguments['layer']> = {
  async apply({ guest, generation, onto, packages, overrides, upgrade, unlike, retry }, effects) {
    const places = placesOf(effects, guest);
    const { source, engine } = await readDefinition(effects.paths, guest);
    const ref = treeRef(guest, generation);
    const lower = await effects.pool.require(
      onto === 'base' ? baseRef(guest, generation) : treeRef(guest, onto),
    );
    await effects.layering.clean(places.scratch);
    const etc = `${places.current}/root/etc`;
    const current = await readCurrent(places.current);
    const replaced = unlike === undefined ? undefined : await effects.pool.require(treeRef(guest, unlike));
    const request = {
      guest,
      engine,
      onto: lower,
      packages,
      overrides,
      rpms: places.rpms,
      upgrade,
      ref,
      previous: replaced,
      subject: `${guest}, generation ${generation}`,
      configuration: (await exists(etc)) ? etc : undefined,
      formerBase: current === undefined ? undefined : await effects.pool.resolve(baseRef(guest, current)),
      scratch: places.scratch,
      ids: places.ids,
      mirror: source.kind === 'debian' ? source.mirror : undefined,
      detail: (line: string): void => effects.progress.detail(line),
      warning: (text: string): void => effects.progress.warning(text),
    };
    await sharingPool(effects, () => effects.layering.build(request));
    if (replaced === undefined && retry) return undefined;
    const fresh = await effects.pool.contentChecksum(await effects.pool.require(ref));
    if (!retry && (await isQuarantined(effects, guest, fresh))) {
      effects.progress.warning(
        `${guest}: the tree that was built failed before and is not taken again; to try it all the same: guestree upgrade ${guest} --retry`,
      );
      return 'unchanged';
    }
    if (replaced === undefined) return undefined;
    return (await effects.pool.contentChecksum(replaced)) === fresh ? 'unchanged' : undefined;
  },
  async undo({ guest, generation }, effects) {
    await effects.layering.clean(placesOf(effects, guest).scratch);
    if (await exists(effects.pool.path)) await effects.pool.deleteRef(treeRef(guest, generation));
  },
};
