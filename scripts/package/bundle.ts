/** Bundles what an installed extension runs: whole, without source maps, and with the code that its programs share only once. */
import { build, type Metafile } from 'esbuild';
import {
  bundleExtension,
  bundlePages,
  commandLine,
  node,
  ownFiles,
  programs,
  requireBanner,
  root,
} from '../bundles.mjs';

/** Bundles into a folder, and tells what went in. */
export async function bundle(folder: string): Promise<Metafile[]> {
  const settings = { minify: true, keepNames: true, sourcemap: false, metafile: true } as const;
  const workers: Metafile[] = [];
  const results = [
    // Every file lies in one folder, because programs look for each other beside themselves.
    await build({
      ...node,
      ...settings,
      external: ownFiles,
      splitting: true,
      entryPoints: { ...programs, ...commandLine },
      outdir: folder,
      chunkNames: '[name]-[hash]',
      banner: { js: requireBanner },
    }),
    await bundleExtension(folder, settings),
    await bundlePages(folder, { sourcemap: false, metafile: true }, (metafile) => workers.push(metafile)),
  ];
  return [...results.map(({ metafile }) => metafile), ...workers];
}

/** Folders of the packages that went into bundles, relative to the repository. */
export function packagesOf(metafiles: readonly Metafile[]): string[] {
  const found = new Set<string>();
  for (const { inputs } of metafiles) {
    for (const file of Object.keys(inputs)) {
      const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file);
      if (match !== null) found.add(match[0]);
    }
  }
  return [...found].sort();
}

export { root };
