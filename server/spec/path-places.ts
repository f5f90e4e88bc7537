/** Which values of a spec are paths, and of what; told from the keys they stand at. */
import { taskNames } from '../data/generators/names.ts';

export type PathKind = 'model' | 'tokenizer' | 'data' | 'feedback' | 'module';

type Path = readonly (string | number)[];

/** Data that is named, not read from a file. */
export const tasks: readonly string[] = taskNames;
/** Settings that hold data, which may be a path. */
export const dataKeys: ReadonlySet<string | number> = new Set(['data', 'held_out', 'prompts']);
/** Settings of data that are paths, or lists of them. */
const fileKeys: ReadonlySet<string | number> = new Set(['jsonl', 'text', 'workspace']);

/** What the text at a place of a spec is the path of; undefined where it is none. */
export function pathKind(path: Path, text: string): PathKind | undefined {
  const [top, , stage, setting] = path;
  if (top === 'model') {
    if (path.length === 1) return 'model';
    return path.length === 2 && path[1] === 'tokenizer' ? 'tokenizer' : undefined;
  }
  if (top === 'base') return path.length === 2 && path[1] === 'model' ? 'model' : undefined;
  if (top !== 'stages' || setting === undefined) return undefined;
  if (stage === 'feedback')
    return setting === 'data' && path.length === 4 && text !== 'feedback' ? 'feedback' : undefined;
  // Names of columns, whatever they are called.
  if (path.includes('columns')) return undefined;
  const judged = setting === 'reward' || (setting === 'environment' && path.includes('reward'));
  if (judged && (path.at(-1) === 'model' || (path.at(-2) === 'model' && path.at(-1) === 'path'))) return 'model';
  const last = path.at(-1) ?? '';
  if (setting === 'environment' && path.at(-2) === 'mcp' && dataKeys.has(last))
    return tasks.includes(text) ? undefined : 'data';
  if (setting === 'reward' || setting === 'environment')
    return path.at(-2) === 'module' && last === 'path' ? 'module' : undefined;
  if (!dataKeys.has(setting)) return undefined;
  if (path.length === 4) return tasks.includes(text) ? undefined : 'data';
  return fileKeys.has(path[4]) ? 'data' : undefined;
}
