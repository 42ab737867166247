import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../model/failure.ts';
import { isCommit, quoted, type Commit } from '../model/names.ts';
import { KeyFile } from './keyfile.ts';

/**
 * `COMMIT.SERIAL.origin` beside a deployment: what it was made from and what rpm-ostree put on top. Source:
 * rust/src/origin.rs of rpm-ostree (origin_to_treefile_inner() reads, treefile_to_origin_inner() writes);
 * ostree.repo(5) and rpm-ostree(1) do not describe it.
 *
 * An origin is plain data: change it by spreading, and render it. Comments, order, and what is not known here (such as
 * `unconfigured-state` and `ex-cliwrap`) live on in `text`.
 */

/** What is pulled at an upgrade: a ref (`REMOTE:REF`) or commit of ostree, or a container image. */
export type OriginBase = { kind: 'refspec'; refspec: string } | { kind: 'container'; image: string };

/** A package from a file: the checksum of what was imported, and NAME-EPOCH:VERSION-RELEASE.ARCH. */
export interface LocalPackage {
  sha256: string;
  nevra: string;
}

/** Packages that come from a certain repository instead of the base. */
export interface Replacement {
  repo: string;
  packages: readonly string[];
}

export interface Origin {
  base: OriginBase;
  /** Upgrades stay at this commit (`rpm-ostree deploy`). */
  overrideCommit: Commit | undefined;
  customUrl: string | undefined;
  customDescription: string | undefined;
  requested: readonly string[];
  requestedLocal: readonly LocalPackage[];
  /** Local packages that may replace files of others. */
  requestedLocalFileOverride: readonly LocalPackage[];
  overrideRemove: readonly string[];
  overrideReplaceLocal: readonly LocalPackage[];
  overrideReplace: readonly Replacement[];
  regenerateInitramfs: boolean;
  initramfsArgs: readonly string[];
  /** Files of /etc that go into the initramfs. */
  initramfsEtc: readonly string[];
  /** `ostree admin pin`; the deployment that an upgrade makes does not inherit it. */
  pinned: boolean;
  /** The file that this was read from; empty for a new one. */
  text: string;
}

/** The origin of a tree as it comes from a ref, with nothing on top. */
export function newOrigin(refspec: string): Origin {
  return {
    base: { kind: 'refspec', refspec },
    overrideCommit: undefined,
    customUrl: undefined,
    customDescription: undefined,
    requested: [],
    requestedLocal: [],
    requestedLocalFileOverride: [],
    overrideRemove: [],
    overrideReplaceLocal: [],
    overrideReplace: [],
    regenerateInitramfs: false,
    initramfsArgs: [],
    initramfsEtc: [],
    pinned: false,
    text: '',
  };
}

type Fields = Omit<Origin, 'text'>;

/** `label` is the file's name, for errors. What rpm-ostree could not read either is a Failure `invalid`. */
export function parseOrigin(text: string, label: string): Origin {
  return { ...readFields(KeyFile.parse(text, label), label), text };
}

/**
 * The file with the origin's values, as rpm-ostree writes them. Only what differs from `text` is written anew, so an
 * unchanged origin gives the same text; except that `refspec` is called `baserefspec` exactly if something is put on
 * top: ostree itself reads `refspec` only, and so refuses to upgrade a tree that rpm-ostree assembles.
 */
export function renderOrigin(origin: Origin): string {
  const { text, ...fields } = origin;
  const file = KeyFile.parse(text, 'the origin');
  writeBase(file, fields);
  writeText(file, 'origin', 'override-commit', fields.overrideCommit);
  writeText(file, 'origin', 'custom-url', fields.customUrl);
  writeText(file, 'origin', 'custom-description', fields.customDescription);
  writeList(file, 'packages', 'requested', fields.requested);
  writeList(file, 'packages', 'requested-local', fields.requestedLocal.map(renderLocal));
  writeList(
    file,
    'packages',
    'requested-local-fileoverride',
    fields.requestedLocalFileOverride.map(renderLocal),
  );
  writeList(file, 'overrides', 'remove', fields.overrideRemove);
  writeList(file, 'overrides', 'replace-local', fields.overrideReplaceLocal.map(renderLocal));
  writeList(file, 'overrides', 'replace', fields.overrideReplace.map(renderReplacement));
  writeFlag(file, 'rpmostree', 'regenerate-initramfs', fields.regenerateInitramfs);
  writeList(file, 'rpmostree', 'initramfs-args', fields.initramfsArgs);
  writeList(file, 'rpmostree', 'initramfs-etc', fields.initramfsEtc);
  writeFlag(file, 'libostree-transient', 'pinned', fields.pinned);
  // What is written must be read as it was meant: a package named "a,b" in a replacement would be two.
  if (!isDeepStrictEqual(readFields(file, 'the origin'), fields)) {
    throw refusal('the origin has values that its file cannot hold');
  }
  return file.toString();
}

function readFields(file: KeyFile, label: string): Fields {
  const overrideCommit = file.get('origin', 'override-commit');
  if (overrideCommit !== undefined && !isCommit(overrideCommit)) {
    throw refusal(`${label}: override-commit is ${quoted(overrideCommit)}, not a commit`);
  }
  const words = (group: string, key: string): string[] =>
    file.getList(group, key).map((word) => checkWord(word, key, label));
  const locals = (group: string, key: string): LocalPackage[] =>
    words(group, key).map((word) => parseLocal(word, key, label));
  return {
    base: readBase(file, label),
    overrideCommit,
    customUrl: file.get('origin', 'custom-url'),
    customDescription: file.get('origin', 'custom-description'),
    requested: words('packages', 'requested'),
    requestedLocal: locals('packages', 'requested-local'),
    requestedLocalFileOverride: locals('packages', 'requested-local-fileoverride'),
    overrideRemove: words('overrides', 'remove'),
    overrideReplaceLocal: locals('overrides', 'replace-local'),
    overrideReplace: words('overrides', 'replace').map((word) => parseReplacement(word, label)),
    regenerateInitramfs: file.getBoolean('rpmostree', 'regenerate-initramfs') ?? false,
    // An argument may be an empty word.
    initramfsArgs: file.getList('rpmostree', 'initramfs-args'),
    initramfsEtc: words('rpmostree', 'initramfs-etc'),
    pinned: file.getBoolean('libostree-transient', 'pinned') ?? false,
  };
}

const BASE_KEYS = ['refspec', 'baserefspec', 'container-image-reference'] as const;

function readBase(file: KeyFile, label: string): OriginBase {
  const found = BASE_KEYS.flatMap((key) => {
    const value = file.get('origin', key);
    return value === undefined ? [] : [{ key, value }];
  });
  const [base, other] = found;
  if (base === undefined) throw refusal(`${label}: none of ${BASE_KEYS.join(', ')} is in [origin]`);
  // rpm-ostree takes refspec if baserefspec is there too, which it never writes; either may be the wrong one.
  if (other !== undefined) throw refusal(`${label}: both ${base.key} and ${other.key} are in [origin]`);
  const value = checkWord(base.value, base.key, label);
  return base.key === 'container-image-reference'
    ? { kind: 'container', image: value }
    : { kind: 'refspec', refspec: value };
}

function writeBase(file: KeyFile, fields: Fields): void {
  const { base } = fields;
  const name = isAssembled(file, fields) ? 'baserefspec' : 'refspec';
  const key = base.kind === 'container' ? 'container-image-reference' : name;
  const present = BASE_KEYS.find((each) => file.get('origin', each) !== undefined);
  if (present !== undefined) file.rename('origin', present, key);
  writeText(file, 'origin', key, base.kind === 'container' ? base.image : base.refspec);
}

/** may_require_local_assembly() of rpm-ostree's rust/src/treefile.rs. Arguments for an initramfs alone do not count. */
function isAssembled(file: KeyFile, fields: Fields): boolean {
  return (
    fields.regenerateInitramfs ||
    file.getBoolean('rpmostree', 'ex-cliwrap') === true ||
    fields.overrideReplace.some(({ packages }) => packages.length > 0) ||
    [
      fields.initramfsEtc,
      fields.requested,
      fields.requestedLocal,
      fields.requestedLocalFileOverride,
      fields.overrideRemove,
      fields.overrideReplaceLocal,
    ].some((list) => list.length > 0)
  );
}

function writeText(file: KeyFile, group: string, key: string, value: string | undefined): void {
  if (value === file.get(group, key)) return;
  if (value === undefined) removeKey(file, group, key);
  else file.set(group, key, value);
}

function writeList(file: KeyFile, group: string, key: string, values: readonly string[]): void {
  if (isDeepStrictEqual(values, file.getList(group, key))) return;
  if (values.length === 0) removeKey(file, group, key);
  else file.setList(group, key, values);
}

function writeFlag(file: KeyFile, group: string, key: string, value: boolean): void {
  if (value === (file.getBoolean(group, key) ?? false)) return;
  if (value) file.set(group, key, 'true');
  else removeKey(file, group, key);
}

function removeKey(file: KeyFile, group: string, key: string): void {
  file.remove(group, key);
  if (file.keys(group).length === 0) file.removeGroup(group);
}

/** `SHA256:NEVRA`, cut at the first colon: an epoch has one too (decompose_sha256_nevra() in rust/src/utils.rs). */
function parseLocal(word: string, key: string, label: string): LocalPackage {
  const [, sha256, nevra] = /^([0-9a-f]{64}):(.+)$/u.exec(word) ?? [];
  if (sha256 !== undefined && nevra !== undefined) return { sha256, nevra };
  throw refusal(`${label}: ${quoted(word)} in ${key} is not SHA256:PACKAGE`);
}

function renderLocal({ sha256, nevra }: LocalPackage): string {
  return `${sha256}:${nevra}`;
}

/** `repo=NAME,PACKAGE,…`: no other kind than `repo` exists (parse_override_source() in rust/src/daemon.rs). */
function parseReplacement(word: string, label: string): Replacement {
  const [source = '', ...packages] = word.split(',');
  if (/^repo=./u.test(source) && !packages.includes(''))
    return { repo: source.slice('repo='.length), packages };
  throw refusal(`${label}: ${quoted(word)} in replace is not repo=NAME,PACKAGE,…`);
}

function renderReplacement({ repo, packages }: Replacement): string {
  return [`repo=${repo}`, ...packages].join(',');
}

/** Names reach command lines and terminals. */
function checkWord(word: string, key: string, label: string): string {
  if (word !== '' && !/\p{Cc}/u.test(word)) return word;
  throw refusal(`${label}: ${quoted(word)} in ${key} is not a name`);
}

function refusal(message: string): Failure {
  return new Failure('invalid', message, { hint: 'See what the host is made from with: rpm-ostree status' });
}
