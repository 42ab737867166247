import { Failure } from './failure.ts';
import { parseCleanPath, parseRefName, quoted, type RefName } from './names.ts';

/** Where a base tree comes from: the argument of `create --from`. */
export type Source =
  | { kind: 'debian'; suite: string; mirror: string | undefined }
  | { kind: 'dir'; path: string }
  | { kind: 'tar'; path: string }
  | { kind: 'ostree'; ref: RefName; repo: string | undefined; remote: string | undefined };

export interface SourceOptions {
  /** Where Debian packages come from; the host's own mirror or mmdebstrap's default if absent. */
  mirror?: string | undefined;
  /** A local OSTree repository; the host's /ostree/repo if absent. */
  repo?: string | undefined;
  /** A remote that is configured in that repository. */
  remote?: string | undefined;
}

/** Parses `debian:SUITE`, `dir:PATH`, `tar:PATH` and `ostree:REF`. */
export function parseSource(value: string, options: SourceOptions = {}): Source {
  const at = value.indexOf(':');
  const kind = at < 0 ? value : value.slice(0, at);
  const rest = at < 0 ? '' : value.slice(at + 1);
  if (kind !== 'ostree' && (options.repo !== undefined || options.remote !== undefined)) {
    throw new Failure('usage', '--repo and --remote belong to ostree: sources');
  }
  if (kind !== 'debian' && options.mirror !== undefined) {
    throw new Failure('usage', '--mirror belongs to debian: sources');
  }
  switch (kind) {
    case 'debian':
      if (!/^[a-z][a-z0-9-]{1,30}$/.test(rest)) {
        throw new Failure('invalid', `${quoted(rest)} is not a Debian suite`, {
          hint: 'Write debian:SUITE, for example debian:trixie or debian:bookworm.',
        });
      }
      return {
        kind,
        suite: rest,
        mirror: options.mirror === undefined ? undefined : parseMirror(options.mirror),
      };
    case 'dir':
    case 'tar':
      return { kind, path: parseCleanPath(rest) };
    case 'ostree':
      return {
        kind,
        ref: parseRefName(rest),
        repo: options.repo === undefined ? undefined : parseCleanPath(options.repo),
        remote: options.remote === undefined ? undefined : parseRemoteName(options.remote),
      };
    default:
      throw new Failure('invalid', `${quoted(value)} is not a source`, {
        hint: 'Use one of: debian:SUITE, dir:PATH, tar:PATH, ostree:REF.',
      });
  }
}

/** The text that parseSource() reads back (without mirror, repo and remote). */
export function formatSource(source: Source): string {
  switch (source.kind) {
    case 'debian':
      return `debian:${source.suite}`;
    case 'dir':
    case 'tar':
      return `${source.kind}:${source.path}`;
    case 'ostree':
      return `ostree:${source.ref}`;
  }
}

function parseMirror(value: string): string {
  // eslint-disable-next-line no-control-regex
  const clean = !/[\s'"\\\u0000-\u001f\u007f-\u009f]/.test(value);
  const ok = clean && /^(?:https?:\/\/[^/]|(?:file|copy):\/.)/.test(value);
  if (ok && value.length < 1000) return value;
  throw new Failure('invalid', `${quoted(value)} is not a mirror`, {
    hint: 'Give the URL of a Debian archive, starting with http://, https:// or file:/.',
  });
}

function parseRemoteName(value: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(value)) return value;
  throw new Failure('invalid', `${quoted(value)} is not the name of a remote`, {
    hint: 'List the remotes of a repository with: ostree remote list --repo=REPO',
  });
}
