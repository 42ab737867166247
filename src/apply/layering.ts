import type { EngineChoice } from '../model/engine.ts';
import type { Commit, GuestName, PackageName } from '../model/names.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Source } from '../model/source.ts';

/** Makes trees. Implemented by src/engines and src/tree; executors know only this. */
export interface Layering {
  /** Imports a base tree into the pool, or takes the one that is there, and gives its commit. */
  fetchBase(source: Source, detail: (line: string) => void, warning: (text: string) => void): Promise<Commit>;
  /** Brings a base tree up to date with its source. */
  refreshBase(
    source: Source,
    detail: (line: string) => void,
    warning: (text: string) => void,
  ): Promise<Commit>;
  /** A commit of the pool as a tree that guests are deployed from: itself if its layout is right, else a new commit. */
  adopt(request: AdoptRequest): Promise<Commit>;
  /** Remembers the user and group ids of a guest's first tree in a file. */
  registerIds(ids: string, tree: Commit): Promise<void>;
  /** Layers packages on a tree; the ref points at the result. */
  build(request: LayerRequest): Promise<void>;
  /** What `upgrade` would change, without building; `unknown` where only building tells. */
  pending(request: PendingRequest): Promise<PackageChange[] | 'unknown'>;
  /** Packages of a tree with their versions. */
  packages(commit: Commit): Promise<Map<string, string>>;
  /** Name of the engine that layers on this tree. */
  engineOf(commit: Commit, choice: EngineChoice): Promise<string>;
  /** Removes what an interrupted build left in a scratch directory, mounts first. */
  clean(scratch: string): Promise<void>;
}

export interface AdoptRequest {
  commit: Commit;
  /** What the user calls it. */
  label: string;
  scratch: string;
  warning: (text: string) => void;
}

export interface LayerRequest {
  guest: GuestName;
  engine: EngineChoice;
  onto: Commit;
  packages: readonly PackageName[];
  overrides: Overrides;
  /** Directory of the package files that replace others. */
  rpms: string;
  upgrade: boolean;
  ref: string;
  /** The tree that this one replaces: if it would be made of the same packages, it is taken again. */
  previous?: Commit | undefined;
  subject: string;
  /** The guest's own /etc: what was changed in its package sources is used. Undefined for a new guest. */
  configuration: string | undefined;
  /** The base below the deployment that this /etc belongs to. */
  formerBase: Commit | undefined;
  scratch: string;
  /** File with the user and group ids that the guest has had; read and written. */
  ids: string;
  /** The mirror that the definition names, if it does. */
  mirror: string | undefined;
  detail: (line: string) => void;
  warning: (text: string) => void;
}

export interface PendingRequest extends Omit<LayerRequest, 'ref' | 'packages' | 'upgrade'> {
  source: Source;
  /** The base that the guest's tree was layered on. */
  base: Commit;
}

/** A difference between two package lists; `undefined` where the package is not in one of them. */
export interface PackageChange {
  package: string;
  from: string | undefined;
  to: string | undefined;
}
