// The programs that tests start as processes of their own, bundled into one folder: to start one from its sources takes three times as
// long. They lie below the working copy, so that they find its packages and the model in the box. `npm test` makes them once, and
// names the folder in COLA_TEST_PROGRAMS; a test file that is run by itself makes its own (test/support/bundled.ts).
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { commandLine, node, ownFiles, programs, requireBanner, root } from '../bundles.mjs';

/** As `TestProgram` of programs.d.mts names them. */
const entryPoints = {
  ...programs,
  ...commandLine,
  'train-child': 'test/support/train-child.ts',
  'copies-child': 'test/support/copies-child.ts',
  'lying-worker': 'test/support/lying-worker.ts',
  trainer: 'test/store/trainer.ts',
  'feedback-writer': 'test/feedback/log.ts',
  'soak-child': 'test/safety/soak-child.ts',
  'killed-run': 'test/cluster/killed-run.ts',
  // For programs that a test writes.
  helper: 'server/rewards/process/helper.ts',
};

/** Also the one that looks for its WebAssembly beside itself: the package of the extension has a copy. */
const outside = [...ownFiles, '@jitl/quickjs-wasmfile-release-sync'];

/** Starts a program from its sources, and whatever it starts: of lines of a bundle the coverage says too much. */
const fromSources = (source) => `process.argv[1] = ${JSON.stringify(source)};
process.execArgv.push('--import', 'tsx');
const { register } = await import('tsx/esm/api');
register();
await import(${JSON.stringify(pathToFileURL(source).href)});
`;

/**
 * Bundles all of them into a new folder, whole: mathjs alone is a thousand files to load.
 *
 * @param counted whether the coverage is to have what they do: a second of each in `sources` is started from its sources
 * @returns the folder
 */
export function bundlePrograms(name, counted) {
  const folder = `${root}.cache/tests/${name}`;
  buildSync({
    ...node,
    sourcemap: false,
    external: outside,
    banner: { js: requireBanner },
    splitting: true,
    entryPoints,
    outdir: folder,
    chunkNames: '[name]-[hash]',
  });
  copyFileSync(`${root}server/cluster/ray_workers.py`, `${folder}/ray_workers.py`);
  if (!counted) return folder;
  mkdirSync(`${folder}/sources`, { recursive: true });
  for (const [program, source] of Object.entries(entryPoints))
    writeFileSync(`${folder}/sources/${program}.js`, fromSources(`${root}${source}`));
  return folder;
}
