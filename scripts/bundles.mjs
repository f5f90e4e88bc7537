// The bundles that a working copy and an installed extension share, with the settings in which they differ.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Settings of everything that runs in node. */
export const node = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
  absWorkingDir: root,
};

/** Packages that are loaded from files of their own: a native library, and a compiler that looks for its library beside itself. */
export const ownFiles = ['onnxruntime-node', 'typescript'];

/** In a module of ES, CommonJS packages that are bundled find no `require` of node's modules. */
export const requireBanner = `import { createRequire as createRequire__ } from 'node:module'; var require = createRequire__(import.meta.url);`;

/** Programs that the extension starts: the language server, its engine, and the helpers of rewards, which are looked for beside it. */
export const programs = {
  server: 'server/main.ts',
  engine: 'server/engine/main.ts',
  'maths-worker': 'server/rewards/maths/worker.ts',
  'sandbox-worker': 'server/rewards/code/sandbox-worker.ts',
  'module-worker': 'server/rewards/process/module-worker.ts',
  worker: 'server/cluster/worker.ts',
  'environment-worker': 'server/environments/module/worker.ts',
};

/** The command line, which the extension runs as tasks. */
export const commandLine = { cola: 'server/cli/main.ts' };

/** The extension itself. The extension host loads CommonJS. */
export const bundleExtension = (folder, settings = {}) =>
  build({
    ...node,
    format: 'cjs',
    external: ['vscode'],
    entryPoints: ['src/extension.ts'],
    outfile: `${folder}/extension.cjs`,
    ...settings,
  });

const browser = { bundle: true, platform: 'browser', target: 'chrome128', minify: true, absWorkingDir: root };

/**
 * `import source from 'worker:./file.ts'`: the bundled script as text, for a worker is started from no file of its own.
 *
 * @param inside told what went into each
 */
const workers = (inside) => ({
  name: 'workers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^worker:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice('worker:'.length)),
      namespace: 'worker',
    }));
    onLoad({ filter: /./, namespace: 'worker' }, async ({ path }) => {
      const bundled = { ...browser, format: 'iife', entryPoints: [path], write: false, metafile: true };
      const { outputFiles, metafile } = await build(bundled);
      inside(metafile);
      return { contents: outputFiles[0].text, loader: 'text' };
    });
  },
});

/** One script and one style a page. @param inside told what went into scripts within scripts */
export const bundlePages = (folder, settings = {}, inside = () => {}) => {
  const pages = readdirSync(`${root}webview`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(`${root}webview/${entry.name}/main.ts`))
    .map(({ name }) => name);
  return build({
    ...browser,
    format: 'esm',
    sourcemap: 'linked',
    logLevel: 'warning',
    plugins: [workers(inside)],
    loader: { '.ttf': 'file' },
    entryPoints: Object.fromEntries(pages.map((name) => [name, `webview/${name}/main.ts`])),
    outdir: `${folder}/webview`,
    ...settings,
  });
};
