/**
 * What a provider cannot do without, looked for on the disk before the provider is asked: a provider that starts without
 * its driver says so on standard error in words that help nobody.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { DeviceName } from './names.ts';

/** Where the Vulkan loader looks for drivers on Linux, in its order (Vulkan-Loader, LoaderDriverInterface.md). */
function vulkanDriverFiles(env: NodeJS.ProcessEnv): string[] {
  const named = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  if (named !== undefined && named !== '') return named.split(delimiter);
  const data = env.XDG_DATA_DIRS?.split(delimiter) ?? ['/usr/local/share', '/usr/share'];
  const config = env.XDG_CONFIG_DIRS?.split(delimiter) ?? ['/etc/xdg'];
  const own = [
    env.XDG_CONFIG_HOME ?? join(homedir(), '.config'),
    env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'),
  ];
  const folders = [...own, ...config, '/usr/local/etc', '/etc', ...data].map((folder) =>
    join(folder, 'vulkan', 'icd.d'),
  );
  return folders.flatMap((folder) => {
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name));
  });
}

/** Where this platform's libraries of ONNX Runtime are; undefined where the runtime is not there. */
function runtimeLibraries(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
    return join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch);
  } catch {
    // The language server asks too, and does not need the runtime.
    return undefined;
  }
}

interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Folder of the runtime's libraries. */
  readonly libraries: string | undefined;
}

/** Why a provider cannot start here, or undefined if nothing is known against it. */
export function missingPrerequisite(
  name: DeviceName,
  env: NodeJS.ProcessEnv = process.env,
  { platform, arch, libraries }: Machine = { ...process, libraries: runtimeLibraries() },
): string | undefined {
  const elsewhere = (name === 'dml' && platform !== 'win32') || (name === 'coreml' && platform !== 'darwin');
  if (elsewhere || (name === 'cuda' && platform === 'darwin'))
    return `ONNX Runtime does not have it on ${platform}-${arch}.`;
  const has = (library: string) => libraries !== undefined && existsSync(join(libraries, library));
  // Windows has one of its own, which may be too old: a library that is loaded late and does not fit ends the process.
  if (name === 'dml' && !has('DirectML.dll')) return 'DirectML.dll is not beside ONNX Runtime';
  if (platform !== 'linux') return undefined;
  if (name === 'webgpu' && !vulkanDriverFiles(env).some(existsSync)) return 'no Vulkan driver is installed';
  if (name === 'cuda' && !has('libonnxruntime_providers_cuda.so'))
    return 'the CUDA provider of ONNX Runtime is not installed';
  return undefined;
}
