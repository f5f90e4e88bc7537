/**
 * The staged package as a tarball for npm: the command line of one platform, with the libraries that it needs inside. Installing it
 * asks no registry for anything and runs no script, so `npx --package FILE cola-studio` works without a network too.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.ts';
import type { Target } from './targets.ts';

/** What is of the editor alone. */
const ofTheEditor = ['extension.cjs', 'server.js'];
const kept = ['name', 'version', 'description', 'license', 'type', 'keywords'];

function read(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * Turns what is staged for one platform into a tarball; the staged folder is no package for VS Code afterwards.
 *
 * @returns the path of the tarball in `to`
 */
export function packForNpm(folder: string, target: Target, to: string): string {
  const manifest = read(join(root, 'package.json'));
  const [os, cpu] = target.split('-');
  for (const name of ofTheEditor) rmSync(join(folder, 'dist', name), { recursive: true, force: true });
  // The page of the gallery is about the editor, and pictures in SVG are not shown.
  const readme = readFileSync(join(root, 'README.md'), 'utf8').replace(/^!\[[^\]]*\]\([^)]*\)\n/gm, '');
  writeFileSync(join(folder, 'README.md'), readme);
  const program = join(folder, 'dist', 'cola.js');
  writeFileSync(program, `#!/usr/bin/env node\n${readFileSync(program, 'utf8')}`);
  // npm leaves out folders of this name but for the one at the top, whose packages are named as bundled.
  renameSync(join(folder, 'dist', 'node_modules'), join(folder, 'node_modules'));
  const bundled = readdirSync(join(folder, 'node_modules'));
  const versions = bundled.map((name) => {
    const file = join(folder, 'node_modules', name, 'package.json');
    const { scripts, devDependencies, dependencies, ...rest } = read(file);
    // Its script would fetch libraries for CUDA, and what it needs for that is not there.
    writeFileSync(file, `${JSON.stringify(rest, null, 2)}\n`);
    return [name, String(rest.version)] as const;
  });
  const own = {
    ...Object.fromEntries(kept.flatMap((key) => (manifest[key] === undefined ? [] : [[key, manifest[key]]]))),
    bin: { 'cola-studio': 'dist/cola.js', cola: 'dist/cola.js' },
    engines: { node: (manifest.engines as Record<string, string>).node },
    os: [os],
    cpu: [cpu],
    files: ['dist', 'assets', 'NOTICES.txt', 'sbom.cdx.json'],
    dependencies: Object.fromEntries(versions),
    bundleDependencies: bundled,
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', to],
    { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' },
  );
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
  const [{ filename }] = JSON.parse(stdout) as { filename: string }[];
  const file = join(to, filename.replace(/\.tgz$/, `-${target}.tgz`));
  renameSync(join(to, filename), file);
  return file;
}
