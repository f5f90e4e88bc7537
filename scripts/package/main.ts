/**
 * `npm run package [-- --target NAME|all]`: packages of the extension for VS Code and of the command line for npm, one of each a
 * platform, in `dist/packages`.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { needBinariesOf } from './binaries.ts';
import { root } from './bundle.ts';
import { lackingLicences } from './licences.ts';
import { packForNpm } from './npm.ts';
import { stage, stageRuntime } from './stage.ts';
import { hasRuntime, ownTarget, runtimeFolder, type Target, targets } from './targets.ts';

function fail(text: string): never {
  console.error(text);
  process.exit(2);
}

function chosen(name: string | undefined): readonly Target[] {
  const runtime = join(root, 'node_modules', 'onnxruntime-node');
  if (name === 'all') {
    const [possible, impossible] = [true, false].map((wanted) =>
      targets.filter((target) => hasRuntime(runtime, target) === wanted),
    );
    for (const target of impossible) console.log(`${target}: left out, ONNX Runtime has no library for it.`);
    return possible.filter((target) => {
      const why = lackingLicences(join(runtime, runtimeFolder(target)));
      if (why !== undefined) console.log(`${target}: left out. ${why}`);
      return why === undefined;
    });
  }
  const target = name === undefined ? ownTarget() : targets.find((known) => known === name);
  if (target === undefined) fail(`usage: npm run package [-- --target ${targets.join('|')}|all]`);
  if (!hasRuntime(runtime, target)) fail(`There is no package for ${target}: ONNX Runtime has no library for it.`);
  const why = lackingLicences(join(runtime, runtimeFolder(target)));
  if (why !== undefined) fail(`There is no package for ${target}. ${why}`);
  return [target];
}

const { values } = parseArgs({ options: { target: { type: 'string' } } });
const wanted = chosen(values.target);
if (!existsSync(join(root, 'assets/nano/model.safetensors'))) {
  console.warn('assets/nano holds no weights: the package will have no model in the box.');
}
const folder = join(root, 'dist/stage');
const packages = join(root, 'dist/packages');
mkdirSync(packages, { recursive: true });
for (const target of wanted) {
  await stage(folder);
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
  for (const made of [file, packForNpm(folder, target, packages)])
    console.log(`${made}: ${(statSync(made).size / 1e6).toFixed(1)} MB`);
}
rmSync(folder, { recursive: true });
