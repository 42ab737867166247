import type {
  AdoptRequest,
  Layering,
  LayerRequest,
  PackageChange,
  PendingRequest,
} from '../apply/layering.ts';
import { canOverride, type EngineChoice } from '../model/engine.ts';
import type { GuardWindow } from '../guard/window.ts';
import { Failure } from '../model/failure.ts';
import type { Commit } from '../model/names.ts';
import { hasOverrides, rpmFileName } from '../model/overrides.ts';
import { sharedLocks, type Paths } from '../model/paths.ts';
import type { Source } from '../model/source.ts';
import { readOptional, writeFileAtomic } from '../system/files.ts';
import { acquireLock } from '../system/lock.ts';
import type { Repo } from '../system/ostree.ts';
import { cleanEnvironment, type Runner } from '../system/run.ts';
import { Bases, localArchives, type Base } from '../tree/base.ts';
import { observeHostApt } from '../tree/hostapt.ts';
import {
  EMPTY_REGISTRY,
  extendRegistry,
  parseRegistry,
  renderRegistry,
  type IdRegistry,
} from '../tree/ids.ts';
import { cleanScratch } from '../tree/scratch.ts';
import { AptEngine } from './apt.ts';
import { RpmOstreeHostEngine } from './rpmostree/host.ts';
import { RpmOstreeEngine } from './rpmostree/isolated.ts';
import { comparePackages } from './comparison.ts';
import { DnfEngine } from './dnf.ts';
import type { Engine } from './engine.ts';
import { chooseEngine } from './index.ts';

export interface LayeringSettings {
  runner: Runner;
  pool: Repo;
  paths: Paths;
  /** For the engine that works on the host itself. */
  window: GuardWindow;
  environment: Readonly<Record<string, string | undefined>>;
}

interface Workshop {
  engines: Engine[];
  bases: Bases;
}

/** Trees for the executors: bases from sources, layers by whichever engine fits the tree. */
export class EngineLayering implements Layering {
  readonly #settings: LayeringSettings;
  #workshop: Promise<Workshop> | undefined;
  /** The engine of each tree that was looked at. */
  readonly #chosen = new Map<string, Promise<Engine>>();
  /** What this run of the program has brought up to date, so that many guests of one source ask it once. */
  readonly #fresh = new Map<string, Promise<Commit>>();

  constructor(settings: LayeringSettings) {
    this.#settings = settings;
  }

  async fetchBase(
    source: Source,
    detail: (line: string) => void,
    warning: (text: string) => void,
  ): Promise<Commit> {
    const { bases } = await this.#open();
    return this.#alone(async () => tell(await bases.fetch(this.#baseRequest(source, detail)), warning));
  }

  async refreshBase(
    source: Source,
    detail: (line: string) => void,
    warning: (text: string) => void,
  ): Promise<Commit> {
    const { bases } = await this.#open();
    const key = JSON.stringify(source);
    const known = this.#fresh.get(key);
    if (known !== undefined) return known;
    const made = this.#alone(async () =>
      tell(await bases.refresh(this.#baseRequest(source, detail)), warning),
    );
    this.#fresh.set(key, made);
    // A source that could not be had may be there for the next guest.
    made.catch(() => this.#fresh.delete(key));
    return made;
  }

  /** Two guests may want the same base at once: the second one waits and then finds it made. They share its scratch. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const release = await acquireLock(sharedLocks(this.#settings.paths).base, 'the base trees', true);
    try {
      return await work();
    } finally {
      await release();
    }
  }

  async adopt({ warning, ...request }: AdoptRequest): Promise<Commit> {
    const { bases } = await this.#open();
    return tell(await bases.adopt({ ...request, pool: this.#settings.pool }), warning);
  }

  async registerIds(ids: string, tree: Commit): Promise<void> {
    await writeRegistry(ids, await registryOf(this.#settings.pool, tree));
  }

  async build(request: LayerRequest): Promise<void> {
    const { pool } = this.#settings;
    const { onto, packages, overrides, upgrade, ref } = request;
    const layers = packages.length > 0 || hasOverrides(overrides);
    const registry = await readRegistry(request.ids);
    if (!layers && !upgrade && registry === EMPTY_REGISTRY) {
      // Nothing to add, and no ids to keep: the tree is the base itself.
      await this.registerIds(request.ids, onto);
      await pool.setRef(ref, onto);
      return;
    }
    const engine = await this.#engineFor(onto, request.engine, layers);
    if (engine === undefined) {
      await pool.setRef(ref, onto);
      return;
    }
    if (hasOverrides(overrides) && !canOverride(engine.name)) throw overridden(request.guest, engine.name);
    const built = await engine.build({
      ...this.#engineRequest(request, registry),
      packages,
      upgrade,
      ref,
      subject: request.subject,
      previous: request.previous,
    });
    await writeRegistry(request.ids, built.registry);
    for (const text of built.warnings) request.warning(text);
  }

  async pending(request: PendingRequest): Promise<PackageChange[] | 'unknown'> {
    const { pool } = this.#settings;
    const { source, base, onto } = request;
    const changes: PackageChange[] = [];
    if (source.kind !== 'debian') {
      // Its files may differ without any package having another version.
      const fresh = await this.refreshBase(source, request.detail, request.warning);
      if ((await pool.contentChecksum(fresh)) !== (await pool.contentChecksum(base))) {
        const { removed, replaced } = request.overrides;
        const overridden = new Set<string>([...removed, ...replaced.map(({ name }) => name)]);
        const packages = comparePackages(await this.packages(base), await this.packages(fresh)).filter(
          (each) => !overridden.has(each.package),
        );
        changes.push(
          ...(packages.length > 0
            ? packages
            : [{ package: 'the base tree', from: base.slice(0, 12), to: fresh.slice(0, 12) }]),
        );
      }
    }
    const engine = await this.#engineFor(onto, request.engine, false);
    if (engine === undefined) return changes;
    const registry = await readRegistry(request.ids);
    const known = new Set(changes.map((each) => each.package));
    const found = await engine.checkUpgrades(this.#engineRequest(request, registry));
    if (found === 'unknown') return changes.length > 0 ? changes : found;
    return [...changes, ...found.filter((each) => !known.has(each.package))];
  }

  async packages(commit: Commit): Promise<Map<string, string>> {
    const engine = await this.#engineFor(commit, 'auto', false);
    return engine === undefined ? new Map() : engine.packages(this.#settings.pool, commit);
  }

  async engineOf(commit: Commit, choice: EngineChoice): Promise<string> {
    return (await this.#engineFor(commit, choice, false))?.name ?? 'none';
  }

  async clean(scratch: string): Promise<void> {
    await cleanScratch(this.#settings.runner, scratch);
  }

  /** The engine of a tree; without one only packages are impossible, the tree itself is fine. */
  async #engineFor(tree: Commit, choice: EngineChoice, required: boolean): Promise<Engine | undefined> {
    // A commit never changes, and finding out takes a dozen calls of ostree for a tree that has no engine.
    const key = `${choice} ${tree}`;
    const chosen = this.#chosen.get(key) ?? this.#choose(tree, choice);
    this.#chosen.set(key, chosen);
    try {
      return await chosen;
    } catch (error) {
      if (error instanceof Failure && error.reason === 'unsupported' && !required) return undefined;
      throw error;
    }
  }

  async #choose(tree: Commit, choice: EngineChoice): Promise<Engine> {
    const { engines } = await this.#open();
    return chooseEngine(engines, choice, this.#settings.pool, tree);
  }

  #open(): Promise<Workshop> {
    this.#workshop ??= this.#equip();
    return this.#workshop;
  }

  /** Reads the host's apt configuration only when a tree is made: `status` needs none of it. */
  async #equip(): Promise<Workshop> {
    const { runner, environment, window } = this.#settings;
    const host = await observeHostApt(runner);
    const { http_proxy, https_proxy, no_proxy } = cleanEnvironment(environment);
    const proxies = Object.entries({ http_proxy, https_proxy, no_proxy }).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value] as const],
    );
    const common = { runner, now: () => new Date(), proxies: Object.fromEntries(proxies) };
    const apt = new AptEngine({ ...common, transport: host.transport });
    const dnf = new DnfEngine(common);
    const isolated = new RpmOstreeEngine({ runner, proxies: common.proxies, rpm: dnf });
    const hosted = new RpmOstreeHostEngine({ runner, window, rpm: dnf, repo: '/sysroot/ostree/repo' });
    return {
      engines: [apt, isolated, dnf, hosted],
      bases: new Bases({ runner, host, architecture: process.arch, engine: apt }),
    };
  }

  #baseRequest(source: Source, progress: (line: string) => void): Parameters<Bases['fetch']>[0] {
    const { pool, paths } = this.#settings;
    return {
      pool,
      source,
      progress,
      scratch: `${paths.state}/scratch/.base`,
      cache: `${paths.state}/cache/.base`,
    };
  }

  #engineRequest(
    request: Omit<LayerRequest, 'ref' | 'packages' | 'upgrade'>,
    registry: IdRegistry,
  ): Omit<Parameters<Engine['build']>[0], 'ref' | 'packages' | 'upgrade' | 'subject'> {
    const { removed, replaced } = request.overrides;
    return {
      pool: this.#settings.pool,
      base: request.onto,
      overrides: {
        removed,
        replaced: replaced.map((each) => ({ ...each, path: `${request.rpms}/${rpmFileName(each)}` })),
      },
      configuration: request.configuration,
      formerBase: request.formerBase,
      registry,
      scratch: request.scratch,
      cache: `${this.#settings.paths.state}/cache/${request.guest}`,
      hostname: request.guest,
      archives: localArchives(request.mirror),
      progress: request.detail,
    };
  }
}

function overridden(guest: string, engine: string): Failure {
  return new Failure('unsupported', `packages of the base cannot be overridden with the engine ${engine}`, {
    guest,
    hint: `Set Engine=rpm-ostree:host in the guest’s definition, or take the overrides back first: guestree override ${guest} reset --all`,
  });
}

function tell(base: Pick<Base, 'commit' | 'warnings'>, warning: (text: string) => void): Commit {
  for (const text of base.warnings) warning(text);
  return base.commit;
}

async function readRegistry(path: string): Promise<IdRegistry> {
  const text = await readOptional(path);
  return text === undefined ? EMPTY_REGISTRY : parseRegistry(text, path);
}

async function writeRegistry(path: string, registry: IdRegistry): Promise<void> {
  await writeFileAtomic(path, renderRegistry(registry));
}

async function registryOf(pool: Repo, tree: Commit): Promise<IdRegistry> {
  const [passwd = '', group = ''] = await Promise.all(
    ['passwd', 'group'].map((name) => pool.cat(tree, `/usr/etc/${name}`)),
  );
  return extendRegistry(EMPTY_REGISTRY, { passwd, group });
}
