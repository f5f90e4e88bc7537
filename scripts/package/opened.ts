/**
 * Packages that are made are opened again: what was installed from them would be exactly these files. Each has to have the libraries
 * of its platform, all of them and no others, and nothing of a working copy.
 */
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { filesOf, type Native, nativesOf } from './binaries.ts';
import { runtimeFolder, type Target } from './targets.ts';

/** What lies at the top of either package. */
const top = {
  vsix: [
    ...['LICENSE.txt', 'NOTICES.txt', 'assets', 'dist', 'l10n', 'package.json', 'readme.md', 'sbom.cdx.json'],
    ...['package.nls.json', 'package.nls.de.json'],
  ],
  npm: ['LICENSE', 'NOTICES.txt', 'README.md', 'assets', 'dist', 'node_modules', 'package.json', 'sbom.cdx.json'],
} as const;

const development = /\.map$|\.tsx?$|(^|\/)(test|\.git|\.cache|\.github)\//;
const typesOfLanguage = /\/typescript\/lib\/lib\.[^/]*d\.ts$/;

export interface Contents {
  readonly kind: keyof typeof top;
  readonly target: Target;
  /** Names of the libraries that it should have. */
  readonly libraries: readonly string[];
  readonly files: readonly string[];
  readonly natives: readonly Native[];
}

/** What is wrong with a package; empty where nothing is. */
export function faultsOf({ kind, target, libraries, files, natives }: Contents): string[] {
  const faults: string[] = [];
  const tops = [...new Set(files.map((path) => path.split('/')[0]))].sort();
  if (tops.join() !== [...top[kind]].sort().join()) faults.push(`at its top are ${tops.join(', ')}`);
  const place = `onnxruntime-node/${runtimeFolder(target).replaceAll('\\', '/')}`;
  const strange = natives.filter((native) => native.target !== target || !dirname(native.path).endsWith(place));
  for (const native of strange) faults.push(`${native.path} is for ${native.target}`);
  const found = natives.map(({ path }) => basename(path)).sort();
  if (found.join() !== [...libraries].sort().join()) faults.push(`its libraries are ${found.join(', ') || 'none'}`);
  const left = files.filter((path) => development.test(path) && !typesOfLanguage.test(path));
  if (left.length > 0) faults.push(`of a working copy are ${left.slice(0, 5).join(', ')}`);
  return faults;
}

/**
 * Unpacks a package of either kind into a folder that is there and empty.
 *
 * @returns how many files it has
 * @throws Error that says what is wrong with it
 */
export async function openPackage(
  file: string,
  target: Target,
  libraries: readonly string[],
  into: string,
): Promise<number> {
  const kind = file.endsWith('.vsix') ? 'vsix' : 'npm';
  if (kind === 'vsix') await unzip(file, into);
  else {
    const { status, stderr } = spawnSync('tar', ['-xzf', file, '-C', into], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tar could not open ${file}: ${stderr}`);
  }
  const folder = join(into, kind === 'vsix' ? 'extension' : 'package');
  const files = filesOf(folder);
  const faults = faultsOf({ kind, target, libraries, files, natives: nativesOf(folder) });
  // VS Code takes the platform from here.
  const about = kind === 'vsix' ? readFileSync(join(into, 'extension.vsixmanifest'), 'utf8') : '';
  if (kind === 'vsix' && !about.includes(`TargetPlatform="${target}"`))
    faults.push(`it does not say it is for ${target}`);
  if (faults.length > 0) throw new Error(`${file}: ${faults.join('; ')}.`);
  return files.length;
}

/** @throws Error where the archive is damaged or names a place outside of the folder */
async function unzip(file: string, into: string): Promise<void> {
  const archive = await openPromise(file, { lazyEntries: true });
  for await (const entry of archive.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    const path = join(into, entry.fileName);
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(await archive.openReadStreamPromise(entry), createWriteStream(path));
  }
}
