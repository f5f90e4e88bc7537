// Bundles every entry point with esbuild. Packages stay outside the bundles of the command line; the extension and the pages hold theirs.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundleExtension, bundlePages, node, programs, root } from './bundles.mjs';

rmSync(`${root}dist`, { recursive: true, force: true });

const entries = { ...programs, cola: 'server/cli/main.ts', bench: 'bench/main.ts' };
for (const [name, entry] of Object.entries(entries)) {
  const banner = { js: '#!/usr/bin/env node' };
  await build({ ...node, packages: 'external', entryPoints: [entry], outfile: `dist/${name}.js`, banner });
}
await bundleExtension('dist');
await bundlePages('dist');
