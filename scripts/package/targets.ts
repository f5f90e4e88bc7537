/** Platforms that a package can be made for, by VS Code's names for them. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mayPassOn } from './licences.ts';

export const targets = ['linux-x64', 'linux-arm64', 'win32-x64', 'win32-arm64', 'darwin-arm64', 'darwin-x64'] as const;
export type Target = (typeof targets)[number];

/** The platform this runs on, undefined where there is no package for it. */
export function ownTarget(): Target | undefined {
  return targets.find((target) => target === `${process.platform}-${process.arch}`);
}

/** Where ONNX Runtime's package keeps its libraries for a platform, relative to the package. */
export const runtimeFolder = (target: Target): string => join('bin', 'napi-v6', ...target.split('-'));

/** Whether ONNX Runtime's package holds libraries for a platform. */
export const hasRuntime = (runtimePackage: string, target: Target): boolean =>
  existsSync(join(runtimePackage, runtimeFolder(target)));

/** The libraries of a platform that go into a package. */
export function librariesOf(runtimePackage: string, target: Target): string[] {
  // On macOS the package holds one library twice, under its long name and under the one that is loaded.
  const twice = /\.\d+\.\d+\.\d+\.dylib$/;
  return readdirSync(join(runtimePackage, runtimeFolder(target)))
    .filter((name) => mayPassOn(name) && !twice.test(name))
    .sort();
}
