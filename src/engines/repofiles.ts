/** One section of a .repo file or of dnf.conf (dnf.conf(5), "REPO OPTIONS"): keys in lower case, the last one wins. */
export interface RepoSection {
  id: string;
  values: ReadonlyMap<string, string>;
}

/** Reads the dialect of dnf: `[id]`, `key=value`, lines that begin with white space continue the value above. Pure. */
export function parseRepoFile(text: string): RepoSection[] {
  const sections: { id: string; values: Map<string, string> }[] = [];
  let key: string | undefined;
  for (const line of text.split('\n')) {
    const values = sections.at(-1)?.values;
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    const [, name, value = ''] = /^([A-Za-z0-9_.-]+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (header !== undefined) {
      sections.push({ id: header, values: new Map() });
      key = undefined;
    } else if (/^\s*(?:[#;].*)?$/.test(line)) {
      continue;
    } else if (/^\s/.test(line) && key !== undefined) {
      values?.set(key, `${values.get(key) ?? ''}\n${line.trim()}`);
    } else if (name !== undefined) {
      key = name.toLowerCase();
      values?.set(key, value);
    }
  }
  return sections;
}

/**
 * The enabled repositories whose packages dnf would install without a signature: `gpgcheck` of the repository, else of
 * [main] of dnf.conf, else off.
 */
export function uncheckedRepos(config: string, repoFile: string): string[] {
  const main = parseRepoFile(config).find(({ id }) => id === 'main')?.values;
  return parseRepoFile(repoFile)
    .filter(({ values }) => isOn(values.get('enabled') ?? '1'))
    .filter(({ values }) => {
      // pkg_gpgcheck is the name in dnf5; each knows the other's as an alias or not at all.
      const own = values.get('gpgcheck') ?? values.get('pkg_gpgcheck');
      return !isOn(own ?? main?.get('gpgcheck') ?? main?.get('pkg_gpgcheck') ?? '0');
    })
    .map(({ id }) => id);
}

function isOn(value: string): boolean {
  return /^(?:1|yes|true|on)$/i.test(value.trim());
}

/** Leads file names below `from` in a .repo file to another directory: keys and certificates that were copied there. */
export function redirectFiles(
  repoFile: string,
  from: readonly string[],
  to: (directory: string) => string,
): string {
  return from.reduce(
    (text, directory) =>
      text.replaceAll(new RegExp(`(^|[=\\s,]|file://)/etc/${directory}/`, 'gm'), `$1${to(directory)}/`),
    repoFile,
  );
}
