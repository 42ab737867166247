// One self-contained file, so that guestree can be copied to a host that has only Node.
import { build } from 'esbuild';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const bundle = await build({
  entryPoints: ['src/main.ts'],
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20.19',
  // CommonJS, because that is what Node takes a file without ending and without package.json for; as a module it would
  // be read twice.
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  define: { __VERSION__: JSON.stringify(version) },
});

// The program is a string within the file: Node parses all of a file before it runs the first line of it, and a string
// is passed over, so that --version costs hardly more than Node itself.
const [program] = bundle.outputFiles;
const text = `#!/usr/bin/env node
'use strict';
if (process.argv.length === 3 && process.argv[2] === '--version') {
  require('node:fs').writeSync(1, ${JSON.stringify(`guestree ${version}\n`)});
} else {
  module._compile(${JSON.stringify(program.text)}, __filename);
}
`;
mkdirSync('dist', { recursive: true });
writeFileSync('dist/guestree.js', text);
chmodSync('dist/guestree.js', 0o755);
// Only for running it from here: this folder belongs to a package of modules.
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
