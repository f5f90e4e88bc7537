// Bundles every entry point with esbuild. Packages stay outside the bundles of the command line; the extension and the pages hold theirs.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;
rmSync(`${root}dist`, { recursive: true, force: true });

const node = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
  absWorkingDir: root,
};
const entries = {
  cola: 'server/cli/main.ts',
  bench: 'bench/main.ts',
  // Helper processes of rewards; they are looked for beside the bundle that starts them.
  'maths-worker': 'server/rewards/maths-worker.ts',
  'sandbox-worker': 'server/rewards/sandbox-worker.ts',
  'module-worker': 'server/rewards/module-worker.ts',
  // The language server and the engine it starts.
  server: 'server/main.ts',
  engine: 'server/engine/main.ts',
};
for (const [name, entry] of Object.entries(entries)) {
  if (!existsSync(root + entry)) continue;
  const banner = { js: '#!/usr/bin/env node' };
  await build({ ...node, entryPoints: [entry], outfile: `dist/${name}.js`, banner });
}

// The extension host loads CommonJS.
await build({
  ...node,
  format: 'cjs',
  packages: 'bundle',
  external: ['vscode'],
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.cjs',
});

// One script and one style a page.
const pages = readdirSync(`${root}webview`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(`${root}webview/${entry.name}/main.ts`))
  .map(({ name }) => name);
for (const name of pages) {
  await build({
    bundle: true,
    platform: 'browser',
    target: 'chrome128',
    format: 'esm',
    minify: true,
    sourcemap: 'linked',
    logLevel: 'warning',
    absWorkingDir: root,
    loader: { '.ttf': 'file' },
    entryPoints: { [name]: `webview/${name}/main.ts` },
    outdir: 'dist/webview',
  });
}
