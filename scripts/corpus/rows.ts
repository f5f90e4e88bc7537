/** Rows of the corpus on disk: one JSON object a line. */

import { createReadStream, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { corpusErrors } from './errors.ts';

const rowSchema = z.object({
  path: z.string(),
  text: z.string(),
  kind: z.enum(['ts', 'js', 'md', 'chat']),
  /** The text has marks of the model, which are tokens of their own. */
  control_tokens: z.boolean().optional(),
});

/** One document: where it is from, its text, and whether it is TypeScript, JavaScript, Markdown or a generated problem. */
export type Row = z.infer<typeof rowSchema>;

/** The folder all of this is written to, relative to the root of the project. */
export const CORPUS = join('.cache', 'corpus');

/** Reads rows one by one. @throws corpus.missing, corpus.row */
export async function* readRows(path: string): AsyncGenerator<Row> {
  if (!existsSync(path)) throw corpusErrors.missing(path);
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      throw corpusErrors.row(path, number);
    }
    const row = rowSchema.safeParse(parsed);
    if (!row.success) throw corpusErrors.row(path, number);
    yield row.data;
  }
}

/** One row as a line. The two line separators of Unicode are escaped, as readers of lines may cut there. */
function lineOf(row: Row): string {
  return `${JSON.stringify(row)
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029')}\n`;
}

/** Writes all rows of a file at once. */
export async function writeRows(path: string, rows: readonly Row[]): Promise<void> {
  await writeFile(path, rows.map(lineOf).join(''));
}
