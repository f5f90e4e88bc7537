/** Programs as they are bundled, in folders of their own: what is built for a person may be older than the sources. */
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { node, root } from '../../scripts/bundles.mjs';

/**
 * Builds the process that trains, `train-child.ts`, into a folder that has no other: a third of the time to start it from its
 * sources, which counts where it is killed and started again.
 *
 * @returns its file
 */
export async function bundleTrainChild(folder: string): Promise<string> {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  await build({
    ...node,
    sourcemap: false,
    packages: 'external',
    entryPoints: { train: 'test/support/train-child.ts' },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
  });
  return join(folder, 'train.mjs');
}

/** Builds the command line before the tests of the enclosing `describe`. @returns the folder, with `cola.js` and `engine.js` in it */
export function bundledForTests(): () => string {
  let place = '';
  before(async function () {
    this.timeout(60_000);
    place = realpathSync(mkdtempSync(join(tmpdir(), 'cola-bundled-')));
    symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
    // The model in the box is looked for in the folders above the program.
    symlinkSync(join(root, 'assets'), join(place, 'assets'));
    await build({
      ...node,
      sourcemap: false,
      packages: 'external',
      splitting: true,
      entryPoints: { cola: 'server/cli/main.ts', engine: 'server/engine/main.ts' },
      outdir: place,
      chunkNames: '[name]-[hash]',
    });
  });
  after(() => rmSync(place, { recursive: true, force: true }));
  return () => place;
}
