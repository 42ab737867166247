// One self-contained file, so that guestree can be copied to a host that has only Node.
import { build } from 'esbuild';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/guestree.js',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  // CommonJS, because that is what Node takes a file without ending and without package.json for; as a module it would
  // be read twice. Small, because Node reads all of it even for --version.
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  define: { __VERSION__: JSON.stringify(version) },
  banner: { js: '#!/usr/bin/env node' },
});
chmodSync('dist/guestree.js', 0o755);
// Only for running it from here: this folder belongs to a package of modules.
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
