/** Lays out the files of one package, exactly what is installed, in a folder. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { bundle, packagesOf, root } from './bundle.ts';
import { notices, partsOf } from './licences.ts';
import { billOf } from './sbom.ts';
import { librariesOf, runtimeFolder, type Target } from './targets.ts';

const modules = join(root, 'node_modules');

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, dereference: true });
}

/** Parts of the manifest that only a working copy needs. */
const development = ['private', 'bin', 'scripts', 'dependencies', 'devDependencies'];

function writeManifest(folder: string): void {
  const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const key of development) delete manifest[key];
  manifest.engines = { vscode: (manifest.engines as Record<string, string>).vscode };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The texts of the manifest in all languages, and translations of the others: those in English are in the code. */
function copyTexts(folder: string): void {
  for (const name of readdirSync(root))
    if (/^package\.nls\b.*\.json$/.test(name)) copy(join(root, name), join(folder, name));
  for (const name of readdirSync(join(root, 'l10n')))
    if (name !== 'bundle.l10n.json') copy(join(root, 'l10n', name), join(folder, 'l10n', name));
}

/**
 * The page of the gallery. VS Code shows pictures in it from an address alone, not from the package: without an address they are left
 * out.
 */
function writeReadme(folder: string, pictures: string | undefined): void {
  const text = readFileSync(join(root, 'docs', 'gallery', 'README.md'), 'utf8');
  const shown =
    pictures === undefined
      ? text.replace(/^!\[[^\]]*\]\([^)]*\)\n\n/gm, '')
      : text.replaceAll(/\]\(([\w-]+\.webp)\)/g, (_, name: string) => `](${new URL(name, pictures).href})`);
  writeFileSync(join(folder, 'README.md'), shown);
}

function copyRuntime(folder: string, target: Target): void {
  const from = join(modules, 'onnxruntime-node');
  const to = join(folder, 'onnxruntime-node');
  copy(join(from, 'package.json'), join(to, 'package.json'));
  copyScripts(join(from, 'dist'), join(to, 'dist'));
  const libraries = runtimeFolder(target);
  for (const name of librariesOf(from, target)) copy(join(from, libraries, name), join(to, libraries, name));
  copy(join(modules, 'onnxruntime-common', 'package.json'), join(folder, 'onnxruntime-common', 'package.json'));
  copyScripts(join(modules, 'onnxruntime-common', 'dist', 'cjs'), join(folder, 'onnxruntime-common', 'dist', 'cjs'));
}

function copyScripts(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name.endsWith('.js') || name === 'package.json') copy(join(from, name), join(to, name));
  }
}

/** The compiler, and of its library what the type-check of code rewards reads: the language, without browsers. */
function copyTypeScript(folder: string): void {
  const from = join(modules, 'typescript');
  const to = join(folder, 'typescript');
  copy(join(from, 'package.json'), join(to, 'package.json'));
  const source = readFileSync(join(from, 'lib', 'typescript.js'), 'utf8');
  mkdirSync(join(to, 'lib'), { recursive: true });
  // Names are kept apart from the text that ES modules find exports by.
  writeFileSync(
    join(to, 'lib', 'typescript.js'),
    transformSync(source, { minify: true, platform: 'node', format: 'cjs' }).code,
  );
  for (const name of library(join(from, 'lib'), 'lib.es2023.d.ts'))
    copy(join(from, 'lib', name), join(to, 'lib', name));
}

/** A file of TypeScript's library and all that it refers to. */
function library(folder: string, name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  const text = readFileSync(join(folder, name), 'utf8');
  for (const [, reference] of text.matchAll(/^\/\/\/ <reference lib="([^"]+)"/gm)) {
    library(folder, `lib.${reference}.d.ts`, found);
  }
  return found;
}

/**
 * Everything of a package that is the same on all platforms, in `folder`, which is emptied first.
 *
 * @param pictures address of a folder with the pictures of the gallery, which ends with `/`
 */
export async function stage(folder: string, pictures?: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const dist = join(folder, 'dist');
  const metafiles = await bundle(dist);
  copy(
    join(modules, '@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm'),
    join(dist, 'emscripten-module.wasm'),
  );
  copy(join(root, 'server/cluster/ray_workers.py'), join(dist, 'ray_workers.py'));
  copyTypeScript(join(dist, 'node_modules'));
  copy(join(root, 'assets'), join(folder, 'assets'));
  copy(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const others = ['onnxruntime-node', 'onnxruntime-common', 'typescript'].map((name) => `node_modules/${name}`);
  const folders = [...packagesOf(metafiles), ...others].map((name) => join(root, name));
  const parts = partsOf(folders);
  writeFileSync(join(folder, 'NOTICES.txt'), notices(parts));
  writeFileSync(join(folder, 'sbom.cdx.json'), billOf(parts));
  writeManifest(folder);
  copyTexts(folder);
  writeReadme(folder, pictures);
  // All that lies here is wanted; without the file, the packager says that it might not be.
  writeFileSync(join(folder, '.vscodeignore'), '');
}

/** Replaces what belongs to one platform. */
export function stageRuntime(folder: string, target: Target): void {
  const packages = join(folder, 'dist', 'node_modules');
  for (const name of ['onnxruntime-node', 'onnxruntime-common']) {
    rmSync(join(packages, name), { recursive: true, force: true });
  }
  copyRuntime(packages, target);
}
