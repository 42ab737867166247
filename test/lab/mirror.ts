import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { command } from './command.ts';

/** Where Debian packages come from: what the machine itself uses, so that the lab needs no settings of its own. */
export interface Mirror {
  archive: string;
  security: string | undefined;
  /** An HTTP proxy that apt of this machine goes through. */
  proxy: string | undefined;
}

interface Source {
  uri: string;
  suite: string;
  components: readonly string[];
  signedBy: string;
}

let known: Promise<Mirror> | undefined;

/** The mirror of this machine; read once. */
export function machineMirror(): Promise<Mirror> {
  known ??= observe();
  return known;
}

/** One-line apt sources for a suite; sid has no security archive. */
export function sourceLines(mirror: Mirror, suite: string): string[] {
  const lines = [`deb ${mirror.archive} ${suite} main`];
  const rolling = ['sid', 'unstable', 'testing'].includes(suite);
  if (mirror.security !== undefined && !rolling) lines.push(`deb ${mirror.security} ${suite}-security main`);
  return lines;
}

/** The proxy as a box reaches it: the machine's loopback is the gateway of the box's user-mode network. */
export function proxyInBox(proxy: string): string {
  const url = new URL(proxy);
  if (isLoopback(url.hostname)) url.hostname = '10.0.2.2';
  return url.href;
}

/** A proxy that only listens on the machine's loopback. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}

async function observe(): Promise<Mirror> {
  const files = ['/etc/apt/sources.list', ...(await listed('/etc/apt/sources.list.d'))];
  const texts = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(file, 'utf8').catch(() => '') })),
  );
  const sources = texts.flatMap(({ file, text }) =>
    file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text),
  );
  const main = sources.filter(({ components }) => components.includes('main'));
  const archives = main.filter(({ suite }) => !suite.includes('security'));
  const archive =
    archives.find(({ uri }) => /\/debian\/?$/.test(uri)) ??
    archives.find(({ signedBy }) => signedBy.includes('debian-archive'));
  const security = main.find(({ suite }) => suite.endsWith('-security'));
  if (archive === undefined) throw new Error('the apt sources of this machine name no Debian archive');
  return { archive: archive.uri, security: security?.uri, proxy: await proxy() };
}

async function listed(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.sort().map((name) => path.join(directory, name));
}

/** `deb [options] URI SUITE COMPONENT…`, sources.list(5). */
export function parseOneLine(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    const [, settings = '', uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined || components === undefined) return [];
    const signedBy = /signed-by=([^\s\]]+)/.exec(settings)?.[1] ?? '';
    return [{ uri, suite, components: components.trim().split(/\s+/), signedBy }];
  });
}

/** Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`, sources.list(5). */
export function parseDeb822(text: string): Source[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const lines = stanza.split('\n').filter((line) => !line.startsWith('#'));
    const values = (key: string): string[] => {
      const line = lines.find((candidate) => candidate.toLowerCase().startsWith(`${key.toLowerCase()}:`));
      return line === undefined
        ? []
        : line
            .slice(key.length + 1)
            .trim()
            .split(/\s+/)
            .filter(Boolean);
    };
    if (!values('Types').includes('deb') || values('Enabled').includes('no')) return [];
    return values('URIs').flatMap((uri) =>
      values('Suites').map((suite) => ({
        uri,
        suite,
        components: values('Components'),
        signedBy: values('Signed-By').join(' '),
      })),
    );
  });
}

async function proxy(): Promise<string | undefined> {
  const dump = await command(['apt-config', 'dump', '--format', '%f %v%n', 'Acquire::http::Proxy'], {
    check: false,
  });
  const value = /^Acquire::http::Proxy (\S+)$/im.exec(dump.stdout)?.[1];
  const found = value ?? process.env['http_proxy'];
  return found === undefined || found === '' || found === 'DIRECT' ? undefined : found;
}
