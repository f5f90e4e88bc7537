/** What was meant by data in another form: a pattern, a list of files, a folder without patterns. */
import { meaningsOf } from './synonyms.ts';

/** Files with rows in them, which are not read as a text. */
const rowsFile = /\.(?:jsonl?|ndjson|csv|tsv|parquet)(?:\.gz)?$/i;
const everything = '**/*';

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.length > 0 && value.every(isText);

/** Whether a text stands for several files. */
export const isPattern = (text: string): boolean => /[*?]|\{[^{}]*,[^{}]*\}/.test(text);

/** A folder, and the pattern below it: `../notes/**` is none of the folder of the spec. */
function fromFolder(pattern: string): { root: string; glob: string } {
  const parts = pattern.split(/[\\/]/);
  const outside = parts[0] === '..' || parts[0] === '' || parts[0] === '~' || /^[A-Za-z]:$/.test(parts[0]);
  if (!outside) return { root: '.', glob: parts[0] === '.' ? parts.slice(1).join('/') : parts.join('/') };
  const first = parts.findIndex(isPattern);
  return { root: parts.slice(0, first).join('/') || '/', glob: parts.slice(first).join('/') };
}

/** Files by their patterns. */
function byPatterns(patterns: readonly string[]): unknown[] {
  const placed = patterns.map(fromFolder);
  const [{ root }] = placed;
  if (placed.some((each) => each.root !== root)) return [];
  return [{ workspace: root, globs: placed.map(({ glob }) => glob) }];
}

/** Whether paths stand for several files of rows, which are read one at a time. */
export const areRows = (paths: readonly string[]): boolean =>
  paths.some((path) => rowsFile.test(path)) && (paths.length > 1 || paths.some(isPattern));

/** What a path in a spec was meant as, where it is none: a pattern of files. Rows have none. */
export const patternForm = (text: string): unknown =>
  isPattern(text) && !rowsFile.test(text) ? byPatterns([text])[0] : undefined;

function listed(files: readonly string[]): unknown[] {
  if (files.some(isPattern)) return byPatterns(files);
  if (files.length === 1) return [files[0]];
  return files.some((file) => rowsFile.test(file)) ? [] : [{ text: files }];
}

/** The names of our settings for those that stand there; undefined for one that is none of files. */
function renamed(value: object): Record<string, unknown> | undefined {
  const ours = ['workspace', 'globs', 'text', 'jsonl', 'strict', 'columns', 'skip_bad_rows'];
  const pairs = Object.entries(value).map(([key, item]) => {
    const meant = ours.includes(key) ? key : meaningsOf(key).find((word) => ours.includes(word));
    return [meant, item] as const;
  });
  if (pairs.length === 0 || pairs.some(([key]) => key === undefined)) return undefined;
  if (new Set(pairs.map(([key]) => key)).size < pairs.length) return undefined;
  return Object.fromEntries(pairs);
}

/** Values of `data` that may have been meant, the likeliest first. */
export function dataForms(value: unknown): unknown[] {
  if (areTexts(value)) return listed(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const settings = renamed(value);
  if (settings === undefined) return [];
  const { workspace, globs, text, jsonl, ...rest } = settings;
  if (isText(text)) return listed([text]);
  if (areTexts(text)) return text.some(isPattern) ? byPatterns(text) : [];
  if (isText(jsonl)) return isPattern(jsonl) && !rowsFile.test(jsonl) ? byPatterns([jsonl]) : [];
  if (areTexts(jsonl)) return jsonl.length === 1 ? [{ jsonl: jsonl[0], ...rest }] : listed(jsonl);
  return ofFolder(workspace, globs).map((form) => ({ ...form, ...rest }));
}

function ofFolder(workspace: unknown, globs: unknown): object[] {
  const patterns = isText(globs) ? [globs] : areTexts(globs) ? globs : undefined;
  if (globs !== undefined && patterns === undefined) return [];
  if (typeof workspace === 'object' && workspace !== null && !Array.isArray(workspace)) {
    const inner = renamed(workspace);
    return inner === undefined || globs !== undefined ? [] : ofFolder(inner.workspace, inner.globs ?? inner.text);
  }
  if (workspace === undefined || workspace === true)
    return patterns === undefined ? [{ workspace: '.', globs: [everything] }] : (byPatterns(patterns) as object[]);
  const roots = isText(workspace) ? [workspace] : areTexts(workspace) ? workspace : [];
  if (patterns === undefined && roots.some(isPattern)) return byPatterns(roots) as object[];
  if (roots.length !== 1 || roots.some(isPattern)) return [];
  return [{ workspace: roots[0], globs: patterns ?? [everything] }];
}
