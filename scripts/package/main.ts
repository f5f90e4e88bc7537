/**
 * `npm run package [-- --target NAME|all] [--pictures ADDRESS]`: packages of the extension for VS Code and of the command line for npm, one of each a
 * platform, in `dist/packages`. Each is opened again and looked through.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { needBinariesOf } from './binaries.ts';
import { root } from './bundle.ts';
import { packForNpm } from './npm.ts';
import { openPackage } from './opened.ts';
import { stage, stageRuntime } from './stage.ts';
import { hasRuntime, librariesOf, ownTarget, type Target, targets } from './targets.ts';

function fail(text: string): never {
  console.error(text);
  process.exit(2);
}

const runtime = join(root, 'node_modules', 'onnxruntime-node');

function chosen(name: string | undefined): readonly Target[] {
  if (name === 'all') {
    const [possible, impossible] = [true, false].map((wanted) =>
      targets.filter((target) => hasRuntime(runtime, target) === wanted),
    );
    for (const target of impossible) console.log(`${target}: left out, ONNX Runtime has no library for it.`);
    return possible;
  }
  const target = name === undefined ? ownTarget() : targets.find((known) => known === name);
  if (target === undefined) fail(`usage: npm run package [-- --target ${targets.join('|')}|all]`);
  if (!hasRuntime(runtime, target)) fail(`There is no package for ${target}: ONNX Runtime has no library for it.`);
  return [target];
}

const { values } = parseArgs({ options: { target: { type: 'string' }, pictures: { type: 'string' } } });
if (values.pictures !== undefined && !/^https:\/\/.+\/$/.test(values.pictures))
  fail('--pictures takes the address of a folder, https://…/');
const wanted = chosen(values.target);
if (!existsSync(join(root, 'assets/nano/model.safetensors'))) {
  console.warn('assets/nano holds no weights: the package will have no model in the box.');
}
const folder = join(root, 'dist/stage');
const packages = join(root, 'dist/packages');
mkdirSync(packages, { recursive: true });
for (const target of wanted) {
  await stage(folder, values.pictures);
  stageRuntime(folder, target);
  needBinariesOf(folder, target);
  const file = join(packages, `cola-studio-${target}.vsix`);
  await createVSIX({
    cwd: folder,
    target,
    packagePath: file,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  const libraries = librariesOf(runtime, target);
  for (const made of [file, packForNpm(folder, target, packages)]) {
    const opened = mkdtempSync(join(tmpdir(), 'cola-opened-'));
    const files = await openPackage(made, target, libraries, opened);
    rmSync(opened, { recursive: true });
    console.log(`${made}: ${(statSync(made).size / 1e6).toFixed(1)} MB, ${files} files, ${libraries.join(', ')}`);
  }
}
rmSync(folder, { recursive: true });
