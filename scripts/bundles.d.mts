import type { BuildOptions, BuildResult } from 'esbuild';

export const root: string;
export const node: BuildOptions;
export const programs: Record<string, string>;
export function bundleExtension<T extends BuildOptions>(folder: string, settings?: T): Promise<BuildResult<T>>;
export function bundlePages<T extends BuildOptions>(folder: string, settings?: T): Promise<BuildResult<T>>;
