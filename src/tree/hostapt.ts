import { readdir } from 'node:fs/promises';
import { readOptional } from '../system/files.ts';
import type { Runner } from '../system/run.ts';

/** What this host knows about Debian archives, if it is a Debian host: its mirror, and how apt gets there. */
export interface HostApt {
  /** Lines of apt.conf(5): proxies and how strict dates are checked. They go into builds, never into a tree. */
  transport: string[];
  archive: string | undefined;
  security: string | undefined;
}

export const NO_HOST_APT: HostApt = { transport: [], archive: undefined, security: undefined };

/** Reads the host's apt configuration. Never fails: a host without apt has none. */
export async function observeHostApt(runner: Runner): Promise<HostApt> {
  const release = (await readOptional('/etc/os-release')) ?? '';
  if (!/^ID="?debian"?$/m.test(release)) return NO_HOST_APT;
  const texts = [(await readOptional('/etc/apt/sources.list')) ?? ''];
  const directory = '/etc/apt/sources.list.d';
  for (const name of await readdir(directory).catch(() => [])) {
    if (/\.(?:list|sources)$/.test(name)) texts.push((await readOptional(`${directory}/${name}`)) ?? '');
  }
  const sources = texts.flatMap(parseSources);
  return { transport: await observeTransport(runner), ...chooseMirrors(sources) };
}

export interface AptSource {
  uri: string;
  suite: string;
  components: string[];
}

/** Both formats of sources.list(5): one line per source, and deb822 paragraphs. */
export function parseSources(text: string): AptSource[] {
  const clean = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  return /^Types:/m.test(clean) ? parseParagraphs(clean) : parseLines(clean);
}

function parseLines(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) return [];
    return [{ uri: match[1] ?? '', suite: match[2] ?? '', components: words(match[3] ?? '') }];
  });
}

function parseParagraphs(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string): string[] =>
      words(new RegExp(`^${name}:((?:.*(?:\\n[ \\t].*)*))`, 'im').exec(paragraph)?.[1] ?? '');
    if (!field('Types').includes('deb') || field('Enabled')[0]?.toLowerCase() === 'no') return [];
    const components = field('Components');
    return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite, components })));
  });
}

/**
 * The host's mirrors of the Debian archive. Third-party sources have a component `main` as well, so a mirror is known
 * by its suites: those that Debian names (bookworm, bookworm-updates, stable, …) or by its path.
 */
export function chooseMirrors(sources: readonly AptSource[]): Pick<HostApt, 'archive' | 'security'> {
  const own = sources.filter(
    ({ components, uri }) => components.includes('main') && /^(?:https?|file|copy|mirror\+\w+):/.test(uri),
  );
  const security = own.find(({ suite, uri }) => /-security$|\/updates$/.test(suite) && /security/.test(uri));
  const archive =
    own.find(({ uri }) => /\/debian\/?$/.test(uri)) ??
    own.find(({ suite, uri }) => SUITES.test(suite) && !/security|ubuntu/.test(uri));
  return { archive: archive?.uri, security: security?.uri };
}

const SUITES = /^(?:bullseye|bookworm|trixie|forky|duke|sid|stable|testing|unstable|oldstable)(?:-updates)?$/;

/** Settings that decide whether an archive is reached at all, as `apt-config dump` prints them. */
const TRANSPORT =
  /^Acquire::(?:(?:https?|ftp)::(?:Proxy|Proxy-Auto-Detect|Timeout)(?:::[^ ]*)?|Check-Valid-Until|Check-Date|Retries|ForceIPv[46]) "/;

async function observeTransport(runner: Runner): Promise<string[]> {
  try {
    const { stdout } = await runner.run('apt-config', ['dump']);
    // A script that finds the proxy exists on the host only.
    return stdout.split('\n').filter((line) => TRANSPORT.test(line) && !line.includes('Auto-Detect'));
  } catch {
    return [];
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
