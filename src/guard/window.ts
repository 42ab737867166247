import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseStagedDeployment, type StagedDeployment } from '../formats/staged.ts';
import { Failure } from '../model/failure.ts';
import { parseCommit, type Commit, type GuestName } from '../model/names.ts';
import { exists, makeDirectories, readOptional, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { HostOstree } from '../system/hostostree.ts';
import { Repo } from '../system/ostree.ts';
import { readRefs } from '../system/refs.ts';
import type { Runner } from '../system/run.ts';
import { bootedDeployment, observeHost, readStaged, type HostPlaces, type HostState } from './host.ts';
import { BASE_REF, HOST_REF, windowStateroot } from './names.ts';
import { refuseWindow } from './preconditions.ts';
import { readSaved, removeSaved, writeSaved, type SavedWindow } from './saved.ts';

export interface WindowSettings {
  runner: Runner;
  places: HostPlaces;
  /** Directory of guestree's own for the saved state: survives a power cut. */
  directory: string;
  bootId: string;
  now: () => Date;
  /** Waits until no transaction of the host's rpm-ostree is under way: its daemon goes on when its client was killed. */
  settle: () => Promise<void>;
  /** Refuses while the host's rpm-ostree works, or is about to. */
  requireReady: (stagedLocked: boolean) => Promise<void>;
}

/**
 * The time in which the host's rpm-ostree works for a guest (docs/decisions/0007). The guest's tree is *staged* as a
 * stateroot of guestree's own, locked, so that the host's boot entries are never written; the host's own staged
 * deployment, of which ostree can keep but one, is saved before and staged again afterwards, byte for byte. Each
 * method may be called again after it ended or was cut off.
 */
export class GuardWindow {
  readonly #settings: WindowSettings;
  readonly #ostree: HostOstree;
  readonly #repo: Repo;
  readonly #saved: string;

  constructor(settings: WindowSettings) {
    this.#settings = settings;
    this.#ostree = new HostOstree(settings.runner);
    this.#repo = new Repo(settings.runner, `${settings.places.sysroot}/ostree/repo`);
    this.#saved = `${settings.directory}/window.json`;
  }

  /** Whether a window is open, by this process or left by another one. */
  async isOpen(): Promise<boolean> {
    return exists(this.#saved);
  }

  async saved(): Promise<SavedWindow | undefined> {
    return readSaved(this.#saved);
  }

  /** Saves what the host has. @throws Failure `conflict` where that could not be given back */
  async open(guest: GuestName): Promise<void> {
    const { places, bootId, now, requireReady } = this.#settings;
    await this.restore();
    const host = await observeHost(places);
    refuseWindow(host);
    const { staged } = host;
    await requireReady(staged.kind === 'staged' && (staged.deployment.locked || host.lockMarker));
    if (staged.kind === 'staged') await this.#repo.setRef(HOST_REF, staged.deployment.target.commit);
    await writeSaved(this.#saved, {
      version: 1,
      guest,
      stateroot: windowStateroot(guest),
      bootId,
      openedAt: now().toISOString(),
      refs: Object.fromEntries(rpmOstreeRefs(host.refs)),
      host: staged.kind === 'staged' ? await this.#hostPart(host, staged) : null,
    });
  }

  async #hostPart(
    host: HostState,
    staged: Extract<HostState['staged'], { kind: 'staged' }>,
  ): Promise<SavedWindow['host']> {
    const { target } = staged.deployment;
    const origin = await readOptional(`${this.#directory(target.stateroot, staged.id)}.origin`);
    return {
      file: Buffer.from(staged.bytes).toString('base64'),
      lockMarker: host.lockMarker,
      origin: origin ?? '',
      menu: menuOf(host),
      booted: bootedName(host),
    };
  }

  /** Stages a tree of the pool as the window's stateroot, locked: what rpm-ostree layers packages on. */
  async seed(pool: string, tree: Commit): Promise<void> {
    const saved = await this.#require();
    await this.#repo.pullLocal(pool, tree);
    await this.#repo.setRef(BASE_REF, tree);
    await this.#ostree.initStateroot(saved.stateroot);
    const marker = `${this.#settings.places.run}/staged-deployment-locked`;
    await this.#withOrigin(`[origin]\nrefspec=${BASE_REF}\n`, (origin) =>
      this.#ostree.stageLocked({ stateroot: saved.stateroot, commit: tree, origin }, marker),
    );
  }

  /**
   * The commit that is staged in the window's stateroot, and its deployment's directory.
   * @throws Failure `conflict` if somebody staged something else
   */
  async result(): Promise<{ commit: Commit; directory: string }> {
    const saved = await this.#require();
    const staged = await readStaged(this.#settings.places);
    if (staged.kind === 'staged' && staged.deployment.target.stateroot === saved.stateroot) {
      const { commit } = staged.deployment.target;
      return { commit, directory: this.#directory(saved.stateroot, staged.id) };
    }
    throw new Failure(
      'conflict',
      'the host staged a deployment of its own meanwhile, which is left as it is',
      {
        guest: saved.guest,
        hint: 'Run the same command again; the host’s update is kept.',
      },
    );
  }

  /** Takes everything of the guest from the host again: the staged deployment, its stateroot, the tree's ref. */
  async clear(): Promise<void> {
    const saved = await this.#require();
    const { places } = this.#settings;
    const staged = await readStaged(places);
    if (staged.kind === 'staged' && staged.deployment.target.stateroot === saved.stateroot) {
      if (staged.whole) await this.#ostree.unstage(saved.stateroot);
      else await rm(`${places.run}/staged-deployment`, { force: true });
    }
    const left = await readStaged(places);
    // Before ostree 2023.8 the marker that locked the guest's deployment would lock what somebody staged after it.
    if (left.kind === 'none' || saved.host?.lockMarker !== true)
      await rm(`${places.run}/staged-deployment-locked`, { force: true });
    if (left.kind === 'staged' && left.deployment.target.stateroot === saved.stateroot) {
      throw new Failure('guard', `the stateroot ${saved.stateroot} is still staged on the host`, {
        hint: 'See: ostree admin status. Try: guestree guard --repair',
      });
    }
    await this.#resetRefs(saved, left.kind !== 'none');
    await rm(`${places.sysroot}/ostree/deploy/${saved.stateroot}`, { recursive: true, force: true });
    await this.#repo.deleteRef(BASE_REF);
  }

  /**
   * rpm-ostree keeps refs for what it layered until its own next cleanup. If somebody staged an update meanwhile, some
   * may belong to that: then only those that keep the guest's tree go.
   */
  async #resetRefs(saved: SavedWindow, updated: boolean): Promise<void> {
    const refs = await readRefs(this.#repo.path);
    const base = refs.get(BASE_REF);
    for (const [ref, commit] of rpmOstreeRefs(refs)) {
      const before = saved.refs[ref];
      if (updated && commit !== base) continue;
      if (before === undefined) await this.#repo.deleteRef(ref);
      else if (before !== commit) await this.#repo.setRef(ref, parseCommit(before));
    }
  }

  /**
   * Stages the host's own deployment again and compares it with what was saved. Left as it is: what somebody else staged
   * meanwhile (newer than what was saved), and a host that has booted or finished the saved one already.
   */
  async restage(): Promise<void> {
    const { restaging, ...saved } = await this.#require();
    const { host: part } = saved;
    if (part === null) return;
    const host = await observeHost(this.#settings.places);
    const bytes = Buffer.from(part.file, 'base64');
    const { target } = parseStagedDeployment(bytes, this.#saved);
    if (isOver(host, part, target)) return;
    if (host.staged.kind === 'none') {
      await writeSaved(this.#saved, { ...saved, restaging: true });
      await this.#withOrigin(part.origin, (origin) =>
        this.#ostree.stage({ stateroot: target.stateroot, commit: target.commit, origin }),
      );
    } else if (restaging !== true || !isTarget(host, target)) return;
    await this.#takeBack(part, bytes);
    await writeSaved(this.#saved, saved);
  }

  /** Makes the staged file what it was, if ostree gave the deployment the same name, and compares it in any case. */
  async #takeBack(part: NonNullable<SavedWindow['host']>, bytes: Buffer): Promise<void> {
    const { places } = this.#settings;
    const wanted = parseStagedDeployment(bytes, this.#saved);
    const staged = await readStaged(places);
    if (staged.kind !== 'staged' || !staged.whole) throw this.#notGivenBack('nothing is staged');
    const { deployment } = staged;
    const origin = await readOptional(`${this.#directory(deployment.target.stateroot, staged.id)}.origin`);
    if (origin !== part.origin) throw this.#notGivenBack('its origin differs');
    if (part.lockMarker) await writeFile(`${places.run}/staged-deployment-locked`, '');
    const same =
      isDeepStrictEqual(deployment.target, wanted.target) &&
      isDeepStrictEqual(deployment.mergeDeployment, wanted.mergeDeployment);
    if (!same) {
      throw this.#notGivenBack(
        `it is ${deployment.target.stateroot} ${staged.id}, it was ${wanted.target.stateroot} ${wanted.target.commit}.${wanted.target.serial}`,
      );
    }
    // Keys that only its maker knew (kernel arguments, the lock) are in the file that was saved.
    const temporary = `${places.run}/.staged-deployment.guestree`;
    await writeFile(temporary, bytes, { mode: 0o600 });
    await rename(temporary, `${places.run}/staged-deployment`);
    // A daemon that runs looks at this time to see that something changed (ostree-sysroot.c, ostree_sysroot_load_if_changed()).
    const now = this.#settings.now();
    await utimes(`${places.sysroot}/ostree/deploy`, now, now);
  }

  #notGivenBack(why: string): Failure {
    return new Failure('guard', `the host's staged deployment could not be staged again as it was: ${why}`, {
      hint: `It is kept by the ref ${HOST_REF}, and described in ${this.#saved}. Try: guestree guard --repair`,
    });
  }

  /** Forgets the window. */
  async close(): Promise<void> {
    await this.#repo.deleteRef(HOST_REF);
    await removeSaved(this.#saved);
  }

  /** Gives the host back everything, from wherever the window was left. */
  async restore(): Promise<void> {
    if (!(await this.isOpen())) return;
    await this.#settings.settle();
    await this.clear();
    await this.restage();
    await this.close();
  }

  /**
   * The same at shutdown, when no unit can be started and so nothing be staged: the host's update is deployed at once,
   * which is what would have become of it now. A locked one is left for the next boot, which stages it again.
   */
  async restoreAtShutdown(): Promise<void> {
    const saved = await this.saved();
    if (saved === undefined) return;
    await this.clear();
    if (saved.host !== null) {
      const host = await observeHost(this.#settings.places);
      const { target, kargs, locked } = parseStagedDeployment(
        Buffer.from(saved.host.file, 'base64'),
        this.#saved,
      );
      if (saved.restaging === true && isTarget(host, target)) await this.restage();
      else if (host.staged.kind === 'none' && !isOver(host, saved.host, target)) {
        if (locked || saved.host.lockMarker) return;
        await this.#withOrigin(saved.host.origin, (origin) =>
          this.#ostree.deploy({ stateroot: target.stateroot, commit: target.commit, origin }, kargs),
        );
      }
    }
    await this.close();
  }

  async #require(): Promise<SavedWindow> {
    const saved = await this.saved();
    if (saved === undefined) throw new Failure('failed', 'no guard window is open');
    return saved;
  }

  async #withOrigin(text: string, use: (path: string) => Promise<void>): Promise<void> {
    const path = `${this.#settings.directory}/origin`;
    await makeDirectories(this.#settings.directory, 0o700);
    await writeFileAtomic(path, text);
    try {
      await use(path);
    } finally {
      await rm(path, { force: true });
      await syncDirectory(this.#settings.directory);
    }
  }

  #directory(stateroot: string, id: string): string {
    return `${this.#settings.places.sysroot}/ostree/deploy/${stateroot}/deploy/${id}`;
  }
}

function rpmOstreeRefs(refs: ReadonlyMap<string, string>): [ref: string, commit: string][] {
  return [...refs].filter(([ref]) => ref.startsWith('rpmostree/'));
}

function menuOf(host: HostState): string[] {
  return host.menu.flatMap(({ target }) =>
    target === undefined ? [] : [`${target.stateroot}/${target.id}`],
  );
}

function bootedName(host: HostState): string | undefined {
  const booted = bootedDeployment(host);
  return booted && `${booted.stateroot}/${booted.id}`;
}

/** Whether that very deployment is staged. */
function isTarget(host: HostState, target: StagedDeployment['target']): boolean {
  return host.staged.kind === 'staged' && isDeepStrictEqual(host.staged.deployment.target, target);
}

/**
 * Whether the host went on since: what was staged has become an entry of the boot menu, finished by a shutdown, or the
 * host runs from another deployment than then.
 */
function isOver(
  host: HostState,
  part: NonNullable<SavedWindow['host']>,
  target: { stateroot: string; commit: string },
): boolean {
  if (part.booted !== undefined && bootedName(host) !== part.booted) return true;
  return menuOf(host).some(
    (entry) =>
      !part.menu.includes(entry) && entry.startsWith(`${target.stateroot}/${parseCommit(target.commit)}.`),
  );
}
