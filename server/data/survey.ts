/** What a folder has to learn from: the files that training would read, by the same walk and the same tests. */
import { stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { ColaError } from '../errors.ts';
import { everyLanguage, globOf, languageOf } from './languages.ts';
import { RowReport } from './rows.ts';
import { readRows } from './sources.ts';

export interface Language {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** The pattern of its files. */
  readonly glob: string;
}

export interface Survey {
  readonly files: number;
  readonly bytes: number;
  /** The largest first. */
  readonly languages: Language[];
  /** The first files, with forward slashes. */
  readonly examples: string[];
  /** Files that were left out, by reason, with the first of them in words. */
  readonly leftOut: { readonly reason: string; readonly files: number; readonly example: string }[];
  /** False where time or size ended the survey before all files were seen. */
  readonly complete: boolean;
}

/** Text of one language: all of it where that is little, else its beginning. */
export interface Sample {
  readonly text: string;
  /** Bytes of that text, and of all files of the language. */
  readonly bytes: number;
  readonly of: number;
}

/** Where a survey ends: it answers a question, and nobody waits long for it. */
const limits = { bytes: 256 * 1024 * 1024, milliseconds: 5000 };
const examples = 20;
/** Characters of each language that are kept to be measured. */
const sampled = 128 * 1024;

/** Reads the text files of a folder in every language that is known. A folder without any is empty. */
export async function surveyFolder(
  root: string,
  signal?: AbortSignal,
): Promise<{ readonly survey: Survey; readonly samples: Sample[] }> {
  const report = new RowReport();
  const sizes = new Map<string, number>();
  const texts = new Map<string, string>();
  const began = performance.now();
  let bytes = 0;
  let complete = true;
  try {
    for await (const row of readRows({ kind: 'workspace', root, globs: everyLanguage }, { report })) {
      signal?.throwIfAborted();
      const file = String(row.columns.file);
      const language = languageOf(file);
      if (language !== undefined && row.kind === 'text') {
        const text = texts.get(language) ?? '';
        texts.set(language, text + row.text.slice(0, sampled - text.length));
      }
      // A large file comes as several rows.
      if (sizes.has(file)) continue;
      const { size } = await stat(file);
      sizes.set(file, size);
      bytes += size;
      if (bytes > limits.bytes || performance.now() - began > limits.milliseconds) {
        complete = false;
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof ColaError) || !/^data\.(noFiles|noUsableRows)$/.test(error.id)) throw error;
  }
  const paths = [...sizes.keys()].map((file) => relative(root, file).split(sep).join('/'));
  const grouped = new Map<string, { paths: string[]; bytes: number }>();
  for (const [i, size] of [...sizes.values()].entries()) {
    const name = languageOf(paths[i]);
    if (name === undefined) continue;
    const group = grouped.get(name) ?? { paths: [], bytes: 0 };
    group.paths.push(paths[i]);
    group.bytes += size;
    grouped.set(name, group);
  }
  const languages = [...grouped].map(([name, group]) => ({
    name,
    files: group.paths.length,
    bytes: group.bytes,
    glob: globOf(group.paths),
  }));
  const survey = {
    files: paths.length,
    bytes,
    languages: languages.sort((a, b) => b.bytes - a.bytes),
    examples: paths.slice(0, examples),
    leftOut: [...report.skipped].map(([reason, files]) => ({
      reason,
      files,
      example: report.examples.get(reason) ?? '',
    })),
    complete,
  };
  const samples = languages.map(({ name, bytes: of }) => {
    const text = texts.get(name) ?? '';
    return { text, bytes: Buffer.byteLength(text), of };
  });
  return { survey, samples };
}

/** Tokens of a whole folder, from those of its samples: exact where the samples are all there is. */
export function tokensOfAll(
  samples: readonly Sample[],
  tokens: readonly number[],
): { readonly count: number; readonly counted: 'all' | 'part' } {
  let count = 0;
  let whole = true;
  for (const [i, { bytes, of }] of samples.entries()) {
    // A byte-order mark is no text, and so short a difference none.
    const all = of - bytes <= 3;
    whole &&= all;
    count += all || bytes === 0 ? tokens[i] : (tokens[i] * of) / bytes;
  }
  return { count: Math.round(count), counted: whole ? 'all' : 'part' };
}
