/** Files of a workspace by patterns, without those that git ignores. */
import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { Minimatch } from 'minimatch';
import { limits, readText } from '../files/open.ts';
import { dataErrors } from './errors.ts';

/** Never text that a person wrote here, whether or not there is a .gitignore. */
const ALWAYS_IGNORED = new Set(['.git', '.hg', '.svn', '.cola', 'node_modules', '__pycache__', '.venv']);

/** Folders that tools fill, by the file beside them which says that they do. */
const MADE: readonly (readonly [beside: RegExp, folders: ReadonlySet<string>])[] = [
  [/^package\.json$/, new Set(['dist', 'coverage', '.next', '.nuxt', '.svelte-kit', '.turbo', 'bower_components'])],
  [/^(?:Cargo\.toml|pom\.xml|build\.sbt)$/, new Set(['target'])],
  [/^(?:build|settings)\.gradle(?:\.kts)?$/, new Set(['build', '.gradle'])],
  [/^(?:go\.mod|composer\.json)$/, new Set(['vendor'])],
  [/^mix\.exs$/, new Set(['_build', 'deps'])],
  [/^(?:pyproject\.toml|setup\.py)$/, new Set(['dist', 'build', '.tox', '.mypy_cache', '.pytest_cache'])],
];

/** Folders that tools have filled, among what lies in one folder. */
function madeIn(names: readonly string[]): ReadonlySet<string> {
  const found = MADE.flatMap(([beside, folders]) => (names.some((name) => beside.test(name)) ? [...folders] : []));
  return new Set(found);
}

interface Level {
  /** Where the .gitignore lies, from the root, with a slash behind; empty for the root. */
  readonly base: string;
  readonly rules: Ignore;
}

/** The last rule that speaks of a path decides, and deeper files speak last. */
function isIgnored(levels: readonly Level[], path: string): boolean {
  let ignored = false;
  for (const { base, rules } of levels) {
    const result = rules.test(path.slice(base.length));
    if (result.ignored) ignored = true;
    else if (result.unignored) ignored = false;
  }
  return ignored;
}

/** The rules of a folder added to those above it. */
function withRules(root: string, base: string, above: readonly Level[]): readonly Level[] {
  return [...above, { base, rules: ignore().add(readText(join(root, base, '.gitignore'), limits.note)) }];
}

/**
 * Whether git would ignore a file, or it lies where nobody wrote it.
 *
 * @param path from `root`, with forward slashes
 */
export function ignoredInWorkspace(root: string, path: string): boolean {
  let levels: readonly Level[] = [];
  const parts = path.split('/');
  for (const [i, part] of parts.entries()) {
    if (ALWAYS_IGNORED.has(part)) return true;
    const base = parts
      .slice(0, i)
      .map((above) => `${above}/`)
      .join('');
    if (existsSync(join(root, base, '.gitignore'))) levels = withRules(root, base, levels);
    if (isIgnored(levels, i === parts.length - 1 ? path : `${base}${part}/`)) return true;
  }
  return false;
}

/**
 * Paths of files, from `root` and with forward slashes, in a fixed order. Links are not followed, and folders that a
 * compiler or a package manager fills (`dist` beside a package.json) are left out unless a pattern begins with their name.
 *
 * @param globs patterns such as `src/**\/*.{ts,js}`; one that begins with `!` takes files away
 * Throws `data.missingFile` if `root` cannot be listed, `data.noFiles` if nothing matches.
 */
export function listWorkspace(root: string, globs: readonly string[]): string[] {
  const matcher = (glob: string) => new Minimatch(glob, { dot: true, nocomment: true });
  const wanted = globs.filter((glob) => !glob.startsWith('!')).map(matcher);
  const unwanted = globs.filter((glob) => glob.startsWith('!')).map((glob) => matcher(glob.slice(1)));
  const found: string[] = [];
  const walk = (base: string, above: readonly Level[]): void => {
    let entries: Dirent[];
    try {
      entries = readdirSync(join(root, base), { withFileTypes: true });
    } catch (cause) {
      const isFile = cause instanceof Error && 'code' in cause && cause.code === 'ENOTDIR' && existsSync(root);
      if (isFile && base === '')
        throw dataErrors.otherFile(root, 'a file, where a folder is looked for', 'Name it by itself: data: FILE.');
      throw dataErrors.missingFile(join(root, base), cause);
    }
    let levels = above;
    if (entries.some((entry) => entry.name === '.gitignore' && entry.isFile())) {
      levels = withRules(root, base, above);
    }
    const made = madeIn(entries.map(({ name }) => name));
    // The order of a directory differs between systems.
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = base + entry.name;
      if (ALWAYS_IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) {
        const named = globs.some((glob) => glob.startsWith(`${path}/`));
        if (!isIgnored(levels, `${path}/`) && (named || !made.has(entry.name))) walk(`${path}/`, levels);
      } else if (
        entry.isFile() &&
        wanted.some((glob) => glob.match(path)) &&
        !unwanted.some((glob) => glob.match(path)) &&
        !isIgnored(levels, path)
      ) {
        found.push(path);
      }
    }
  };
  walk('', []);
  if (found.length === 0) throw dataErrors.noFiles(root, globs);
  return found;
}
