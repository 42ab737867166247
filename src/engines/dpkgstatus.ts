/**
 * The packages that dpkg's status file calls installed, with their versions. The format is that of deb822(5); the third
 * word of `Status:` is the state (dpkg(1)): a package whose triggers are still to run is on the system as well.
 * A package that is installed for several architectures appears as `NAME` and `NAME:ARCH`.
 */
export function parseDpkgStatus(text: string): Map<string, string> {
  const packages = new Map<string, string>();
  for (const paragraph of text.split(/\n\n+/)) {
    const name = fieldOf(paragraph, 'Package');
    const version = fieldOf(paragraph, 'Version');
    if (name === undefined || version === undefined) continue;
    const state = fieldOf(paragraph, 'Status')?.split(/\s+/)[2];
    // Files below status.d (distroless images) have no Status field: they are there because they are installed.
    if (state !== undefined && !INSTALLED.includes(state)) continue;
    packages.set(
      packages.has(name) ? `${name}:${fieldOf(paragraph, 'Architecture') ?? 'unknown'}` : name,
      version,
    );
  }
  return packages;
}

const INSTALLED = ['installed', 'triggers-pending', 'triggers-awaited'];

function fieldOf(paragraph: string, name: string): string | undefined {
  const match = new RegExp(`^${name}: *(.*)$`, 'm').exec(paragraph);
  return match?.[1]?.trim();
}
