import { Failure } from './failure.ts';

/**
 * Names that reach file names, unit names, command lines and rendered files. Each `parse…` returns its argument
 * or throws a Failure; nothing unchecked goes further into the program.
 */

declare const guestName: unique symbol;
declare const packageName: unique symbol;
declare const refName: unique symbol;
declare const commitId: unique symbol;

export type GuestName = string & { readonly [guestName]: true };
export type PackageName = string & { readonly [packageName]: true };
export type RefName = string & { readonly [refName]: true };
/** The checksum of an OSTree commit: 64 hex digits. */
export type Commit = string & { readonly [commitId]: true };

/** Shows a hostile string safely in an error: what a terminal would obey or hide is escaped, and it is cut. */
export function quoted(value: string): string {
  const text = value.length > 80 ? `${value.slice(0, 80)}…` : value;
  // JSON leaves DEL, the C1 controls, line separators and invisible formatting (bidirectional marks) as they are.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * A guest's name is a machine name (systemd's machine_name_is_valid(): a host name of at most 64 characters,
 * machinectl(1)), an OSTree stateroot name and a file name at once. guestree is stricter than each: lower-case
 * letters, digits and single hyphens, a letter first, at most 54 characters, so that `NAME-preflight` and
 * `ve-NAME` derived from it stay valid too; and it is none of the names that guestree itself gives to machines.
 */
export function parseGuestName(value: string): GuestName {
  if (isGuestName(value)) return value;
  throw new Failure('invalid', `${quoted(value)} is not a guest name`, {
    hint: 'Use 1 to 54 lower-case letters, digits and single hyphens, a letter first, for example "mail" or "web-2"; not ending in "-preflight" or "-next".',
  });
}

export function isGuestName(value: string): value is GuestName {
  return (
    /^[a-z](?:-?[a-z0-9]){0,53}$/.test(value) && value.length <= 54 && !/-(?:preflight|next)$/.test(value)
  );
}

/**
 * A binary package name, with an optional `=VERSION`, as apt-get(8) takes them. Policy 5.6.7: lower-case letters,
 * digits, `+`, `-`, `.`, starting with a letter or digit, at least two characters. Upper case and `_` are allowed
 * for RPM names. A leading `-` (an option) and a trailing `-` (apt's "remove" suffix, which it also sees behind an
 * architecture or a version) are refused. A trailing `+` is part of names such as `g++`.
 */
export function parsePackageName(value: string): PackageName {
  const ok = /^[A-Za-z0-9][A-Za-z0-9+._-]*(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+)?$/.test(value);
  const name = value.split(/[=:]/)[0] ?? '';
  if (ok && value.length <= 200 && name.length >= 2 && !value.endsWith('-') && !/[-.]$/.test(name)) {
    return value as PackageName;
  }
  throw new Failure('invalid', `${quoted(value)} is not a package name`, {
    hint: 'Package names are letters, digits, "+", "-" and ".", for example "postfix" or "postfix=3.7.11-0+deb12u1".',
  });
}

/** The name without `:ARCH` and `=VERSION`. */
export function barePackageName(value: PackageName): string {
  return value.split(/[=:]/)[0] ?? value;
}

/**
 * A branch name as ostree_validate_rev() takes it (ostree-core.c: `REMOTE:` is not part of it), without `..` and
 * without a leading `-` or `/`.
 */
export function parseRefName(value: string): RefName {
  const ok = /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/.test(value);
  if (ok && value.length <= 200 && !value.includes('..')) return value as RefName;
  throw new Failure('invalid', `${quoted(value)} is not an OSTree ref`, {
    hint: 'A ref is made of words of letters, digits, ".", "_" and "-", joined by "/", for example "debian/trixie/x86_64".',
  });
}

export function isCommit(value: string): value is Commit {
  return /^[0-9a-f]{64}$/.test(value);
}

/** The checksum in a program's output. A bad one is not the user's mistake. */
export function parseCommit(value: string): Commit {
  const text = value.trim();
  if (isCommit(text)) return text;
  throw new Failure('failed', `expected an OSTree commit checksum and got ${quoted(text)}`);
}

/**
 * A path that is rendered into a unit file or handed to ostree: absolute, normal, without control characters.
 * `%` and `:` are refused because unit files and Bind= read them as specifier and separator, white space at the end
 * because unit files lose it.
 */
export function parseCleanPath(value: string): string {
  const parts = value.split('/');
  const clean =
    value.startsWith('/') &&
    // eslint-disable-next-line no-control-regex
    !/[\u0000-\u001f\u007f-\u009f\u2028\u2029%:\\"']/.test(value) &&
    !value.endsWith(' ') &&
    !parts.slice(1).some((part) => part === '.' || part === '..' || part === '') &&
    value.length < 4000;
  if (clean || value === '/') return value;
  throw new Failure('invalid', `${quoted(value)} cannot be used as a path`, {
    hint: 'Give an absolute path without "..", quotes, "%", ":" or control characters.',
  });
}

/** A generation's number: 1, 2, 3, … */
export function parseGenerationNumber(value: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(value)) return Number(value);
  throw new Failure('invalid', `${quoted(value)} is not a generation number`, {
    hint: 'Generations are numbered from 1; list them with: guestree history NAME',
  });
}
