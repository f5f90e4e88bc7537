/** The pinned packages the corpus is made of: their list, how they are fetched, and who wrote them. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ColaError } from '../../server/errors.ts';
import { corpusErrors } from './errors.ts';

const run = promisify(execFile);

/** Licences under which a package may be used here. */
export const PERMISSIVE = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Apache-2.0 OR MIT',
  '(MIT OR CC0-1.0)',
] as const;

const entrySchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** Digest of the tarball, as the registry writes it. */
  integrity: z.string().startsWith('sha512-'),
  licence: z.enum(PERMISSIVE),
  /** Path prefixes to keep; everything when absent. Markdown at the root is always kept. */
  include: z.array(z.string()).optional(),
  /** Path prefixes to leave out. */
  exclude: z.array(z.string()).optional(),
  /** Keep `.d.ts` files: only where they are written by hand. */
  declarations: z.boolean().optional(),
  /** Most text taken from this package, in 10^6 bytes. */
  megabytes: z.number().positive().optional(),
});

export const packageListSchema = z.strictObject({ train: z.array(entrySchema), heldout: z.array(entrySchema) });

/** What a text is for: learning, or measuring what was learnt. */
export type Split = 'train' | 'heldout';

/** One pinned package and the part of it that is used. */
export type PackageEntry = z.infer<typeof entrySchema>;

const personSchema = z.union([z.string(), z.object({ name: z.string().optional() })]);
const manifestSchema = z.object({
  license: z.string(),
  author: personSchema.optional(),
  contributors: z.array(personSchema).optional(),
  maintainers: z.array(personSchema).optional(),
  repository: z.union([z.string(), z.object({ url: z.string() })]).optional(),
});

/** The part of a package's package.json that says who wrote it and under which licence. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Reads the pinned list beside this file. */
export async function readPackageList(): Promise<z.infer<typeof packageListSchema>> {
  return packageListSchema.parse(JSON.parse(await readFile(new URL('packages.json', import.meta.url), 'utf8')));
}

/**
 * Fetches one package with `npm pack`, checks its digest and unpacks it; does nothing when it is there already.
 *
 * @returns the folder with the package's files
 * @throws corpus.fetch, corpus.integrity
 */
export async function fetchPackage(entry: PackageEntry, cache: string): Promise<string> {
  const spec = `${entry.name}@${entry.version}`;
  const folder = join(cache, spec.replace('/', '+'));
  if (existsSync(join(folder, 'package.json'))) return folder;
  await mkdir(cache, { recursive: true });
  // Of its own for each process: those that share a measurement may all find that it is missing.
  const unpacking = await mkdtemp(`${folder}.part-`);
  try {
    const arguments_ = ['pack', spec, '--json', '--ignore-scripts', '--pack-destination', unpacking];
    await run('npm', arguments_, { shell: process.platform === 'win32', maxBuffer: 1 << 26 });
    const [tarball] = (await readdir(unpacking)).filter((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack left no tarball');
    const digest = createHash('sha512')
      .update(await readFile(join(unpacking, tarball)))
      .digest('base64');
    if (`sha512-${digest}` !== entry.integrity) throw corpusErrors.integrity(spec);
    await run('tar', ['-xzf', tarball, '--strip-components=1'], { cwd: unpacking });
    await rm(join(unpacking, tarball));
    await rename(unpacking, folder).catch((error) => {
      // Another process was first.
      if (!existsSync(join(folder, 'package.json'))) throw error;
    });
  } catch (cause) {
    if (cause instanceof ColaError) throw cause;
    throw corpusErrors.fetch(spec, cause);
  } finally {
    await rm(unpacking, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Reads package.json and checks that the licence is the pinned one.
 *
 * @throws corpus.licence when it is another
 */
export async function readManifest(entry: PackageEntry, folder: string): Promise<Manifest> {
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
  if (manifest.license !== entry.licence) {
    throw corpusErrors.licence(`${entry.name}@${entry.version}`, manifest.license, entry.licence);
  }
  return manifest;
}

/**
 * Who stands behind a package: author, contributors, maintainers, its scope and the owner of its repository, in lower
 * case. DefinitelyTyped is one repository of thousands of authors, so its scope and owner say nothing and are left out.
 */
export function peopleOf(name: string, manifest: Manifest): Set<string> {
  const people = new Set<string>();
  const persons = [manifest.author, ...(manifest.contributors ?? []), ...(manifest.maintainers ?? [])];
  for (const person of persons) {
    const written = typeof person === 'string' ? person.replace(/\s*[<(].*$/s, '') : person?.name;
    if (written) people.add(written.trim().toLowerCase());
  }
  if (name.startsWith('@types/')) return people;
  const repository = typeof manifest.repository === 'string' ? manifest.repository : manifest.repository?.url;
  const owner =
    repository === undefined ? undefined : /([^/:@]+)\/[^/]+?(?:\.git)?(?:\/tree\/.*)?$/.exec(repository)?.[1];
  if (owner) people.add(owner.toLowerCase());
  if (name.startsWith('@')) people.add(name.slice(1, name.indexOf('/')).toLowerCase());
  return people;
}

/**
 * Checks that nobody behind a held-out package is behind a training package.
 *
 * @throws corpus.sharedAuthors
 */
export function checkAuthors(packages: readonly { split: Split; name: string; manifest: Manifest }[]): void {
  const people = packages.map(({ split, name, manifest }) => ({ split, name, people: peopleOf(name, manifest) }));
  for (const heldout of people.filter(({ split }) => split === 'heldout')) {
    for (const train of people.filter(({ split }) => split === 'train')) {
      const shared = [...heldout.people].filter((person) => train.people.has(person));
      if (shared.length > 0) throw corpusErrors.sharedAuthors(heldout.name, train.name, shared);
    }
  }
}

/** What kind of text a file holds. */
export type Kind = 'ts' | 'js' | 'md';

/** The kind of a file by its name, or undefined when it is of no use. */
export function kindOf(path: string, declarations: boolean): Kind | undefined {
  if (/\.d\.[cm]?ts$/.test(path)) return declarations ? 'ts' : undefined;
  if (/\.[cm]?tsx?$/.test(path)) return 'ts';
  if (/\.[cm]?jsx?$/.test(path)) return 'js';
  return /\.md$/i.test(path) ? 'md' : undefined;
}

/** Build output, third-party copies, translations, logs of changes and licence texts: never wanted. */
const UNWANTED =
  /(^|\/)(node_modules|vendor|third[-_]?party|locales?|i18n|__generated__|generated|min)\/|\.min\.|[-.]bundle\.|(^|\/)(changelog|changes|history|releases?|licen[cs]e|copying|notice|authors|contributors|security|code_of_conduct)[^/]*\.md$/i;

/** The files of a package that its entry asks for, sorted by path, with forward slashes. */
export async function wantedFiles(entry: PackageEntry, folder: string): Promise<{ path: string; kind: Kind }[]> {
  const files: { path: string; kind: Kind }[] = [];
  for (const found of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!found.isFile()) continue;
    const path = relative(folder, join(found.parentPath, found.name)).split(sep).join('/');
    const kind = kindOf(path, entry.declarations ?? false);
    if (kind === undefined || UNWANTED.test(path)) continue;
    if (entry.exclude?.some((prefix) => path.startsWith(prefix))) continue;
    const rootDocument = kind === 'md' && !path.includes('/');
    if (!rootDocument && entry.include && !entry.include.some((prefix) => path.startsWith(prefix))) continue;
    files.push({ path, kind });
  }
  const paths = new Set(files.map(({ path }) => path));
  // One build for two module systems: the `.js` file says the same as its `.cjs` or `.mjs` twin.
  return files
    .filter(({ path }) => !(/\.[cm]js$/.test(path) && paths.has(path.replace(/\.[cm]js$/, '.js'))))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A place in a fixed pseudo-random order: the same for the same text on every machine. */
export function orderKey(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
