import type { BuildOptions, BuildResult, Metafile } from 'esbuild';

export const root: string;
export const node: BuildOptions;
export const ownFiles: string[];
export const requireBanner: string;
export const programs: Record<string, string>;
export const commandLine: Record<string, string>;
export function bundleExtension<T extends BuildOptions>(folder: string, settings?: T): Promise<BuildResult<T>>;
export function bundlePages<T extends BuildOptions>(
  folder: string,
  settings?: T,
  inside?: (metafile: Metafile) => void,
): Promise<BuildResult<T>>;
