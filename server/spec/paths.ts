/** Paths in a run spec: relative to its folder, or the name of a model that comes with CoLA Studio. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { EnvironmentSpec } from '../environments/spec.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import { specErrors } from './errors.ts';
import { dataKeys, tasks } from './path-places.ts';
import type { RunSpec, StageSpec } from './schema.ts';

const prefix = 'builtin:';
const builtins = ['nano'] as const;

/** The folder of the package, from its sources as from a bundle in dist/. */
function packageFolder(): string {
  let folder = import.meta.dirname;
  // Sources lie two levels below, bundles one.
  for (let up = 0; up < 4 && !existsSync(join(folder, 'assets', 'nano')); up++) folder = dirname(folder);
  return folder;
}

/** Whether a folder belongs to the installation, whatever way leads there: nothing is written into it. */
export function isInstalled(folder: string): boolean {
  const assets = join(packageFolder(), 'assets');
  if (!existsSync(folder) || !existsSync(assets)) return false;
  return !relative(realpathSync(assets), realpathSync(folder)).startsWith('..');
}

/**
 * The absolute path that a spec means.
 *
 * @param path as it stands in the spec: absolute, relative to the spec's folder, or `builtin:nano`
 * @throws spec.unknownBuiltin
 */
export function resolvePath(path: string, specFile: string): string {
  if (!path.startsWith(prefix)) return resolve(dirname(resolve(specFile)), path);
  const name = path.slice(prefix.length);
  if (!builtins.some((known) => known === name)) throw specErrors.unknownBuiltin(name, builtins);
  return join(packageFolder(), 'assets', name);
}

/**
 * {@link resolvePath} for a model folder.
 *
 * @throws spec.unknownBuiltin; spec.noBuiltin where an installation lacks the weights of its own model
 */
export function resolveModel(path: string, specFile: string): string {
  const folder = resolvePath(path, specFile);
  const complete = existsSync(join(folder, 'config.json')) || existsSync(join(folder, 'cola.json'));
  if (path.startsWith(prefix) && !complete) throw specErrors.noBuiltin(path.slice(prefix.length), folder);
  return folder;
}

/** Settings whose value is a path, wherever they stand. */
const pathKeys: ReadonlySet<string> = new Set(['jsonl', 'text', 'workspace', 'path', 'model', 'folder']);

/** A value of a spec with all paths in it changed. */
function withPaths(value: unknown, move: (path: string) => string, key = ''): unknown {
  if (typeof value === 'string') {
    return pathKeys.has(key) || (dataKeys.has(key) && !tasks.includes(value)) ? move(value) : value;
  }
  if (Array.isArray(value)) return value.map((entry) => withPaths(entry, move, key));
  if (typeof value !== 'object' || value === null) return value;
  // What stands under "columns" are names of columns, whatever they are called.
  if (key === 'columns') return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withPaths(entry, move, name)]));
}

/**
 * The spec with its relative paths rewritten so that they mean the same from another file. A run keeps its spec in its own
 * folder: rebased, the run can be continued without the file it was started from, and a project can be moved as a whole.
 */
export function rebaseSpec(spec: RunSpec, from: string, to: string): RunSpec {
  const target = dirname(resolve(to));
  const move = (path: string): string => {
    if (path.startsWith(prefix) || isAbsolute(path)) return path;
    return relative(target, resolvePath(path, from)).split(sep).join('/') || '.';
  };
  const { model, base } = spec;
  return {
    ...spec,
    model: typeof model === 'string' ? move(model) : { ...model, tokenizer: move(model.tokenizer) },
    base: base.model === undefined ? base : { ...base, model: move(base.model) },
    stages: spec.stages.map((stage) => ({ ...stage, settings: withPaths(stage.settings, move) }) as StageSpec),
  };
}

/** A reward or an environment with its paths absolute. @param folder where they begin */
export const absolutePaths = <T extends RewardSpec | EnvironmentSpec>(spec: T, folder: string): T =>
  withPaths(spec, (path) => resolve(folder, path)) as T;

/** Files of a command that are programs, and not data. */
const scriptFile = /\.(?:[cm]?[jt]s|py)$/i;

/**
 * The paths of modules of rewards and environments, of scripts that are MCP servers, and of reward models, in the stages of a
 * spec, as they are written.
 */
export const modulePaths = ({ stages }: RunSpec): string[] => modulePathsIn(stages.map(({ settings }) => settings));

/** {@link modulePaths} of rewards, environments, or whatever has them. */
export function modulePathsIn(values: readonly unknown[]): string[] {
  const found = new Set<string>();
  const collect = (key: string, value: unknown): void => {
    if (key === 'mcp' && isServer(value))
      for (const each of value.command.filter((argument) => scriptFile.test(argument)))
        found.add(isAbsolute(each) ? each : join(value.folder, each));
    if ((key === 'path' || key === 'model') && typeof value === 'string') found.add(value);
    else if (Array.isArray(value)) for (const entry of value) collect('', entry);
    else if (typeof value === 'object' && value !== null && key !== 'columns')
      for (const [name, entry] of Object.entries(value)) collect(name, entry);
  };
  for (const value of values) collect('', value);
  return [...found].sort();
}

const isServer = (value: unknown): value is { readonly command: readonly string[]; readonly folder: string } =>
  typeof value === 'object' && value !== null && 'command' in value && 'folder' in value;
