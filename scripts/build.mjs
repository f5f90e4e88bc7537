// Bundles every entry point with esbuild. Packages stay outside the bundles of the command line; the extension and the pages hold theirs.
import { copyFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundleExtension, bundlePages, commandLine, node, programs, root } from './bundles.mjs';

rmSync(`${root}dist`, { recursive: true, force: true });

// The command is read in two parts: its first says in a sentence what keeps the second from being read.
const banner = { js: '#!/usr/bin/env node' };
await build({
  ...node,
  packages: 'external',
  splitting: true,
  entryPoints: commandLine,
  outdir: 'dist',
  chunkNames: 'cola-[name]-[hash]',
  banner,
});
const entries = { ...programs, bench: 'bench/main.ts' };
for (const [name, entry] of Object.entries(entries)) {
  await build({ ...node, packages: 'external', entryPoints: [entry], outfile: `dist/${name}.js`, banner });
}
// Run by the Python of a Ray cluster.
copyFileSync(`${root}server/cluster/ray_workers.py`, `${root}dist/ray_workers.py`);
await bundleExtension('dist');
await bundlePages('dist');
