/**
 * The data of a run as it was when the run began, in the run's folder: rows as they were read, tokens as the cache has
 * them. A run goes on with these, whatever has become of the files since.
 */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { storedBytes } from '../../data/bytes.ts';
import { readLines } from '../../data/lines.ts';
import { placed, placeOf, type Row, RowReport } from '../../data/rows.ts';
import { cacheInfo, TokenFile } from '../../data/token-cache.ts';
import { temporaryName, writeAtomically, writeFileAtomic, writing } from '../../files/atomic.ts';
import { limits, readText } from '../../files/open.ts';
import { trainErrors } from '../errors.ts';

/** Where in a run's folder its data is. */
export const frozenFolder = 'data';

const fileMark = z.object({ path: z.string(), size: z.number(), modified: z.number(), hash: z.string() });
type FileMark = z.infer<typeof fileMark>;

const frozenTokens = z.object({ files: z.array(fileMark), info: cacheInfo });
const frozenRows = z.object({
  files: z.array(fileMark),
  used: z.int(),
  skipped: z.array(z.tuple([z.string(), z.int()])),
  examples: z.array(z.tuple([z.string(), z.string()])),
});
const frozenLength = z.object({ length: z.int() });
/** Written by {@link FrozenData} alone. */
const keptRow = z.object({ row: z.custom<Row>(), place: z.string().optional() });

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of storedBytes(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function markOf(path: string): Promise<FileMark> {
  const { size, mtimeMs } = await stat(path);
  return { path, size, modified: mtimeMs, hash: await hashOf(path) };
}

/** Rows as they were read, with what was left out of them. */
export interface ReadRows {
  readonly rows: readonly Row[];
  readonly report: RowReport;
}

export class FrozenData {
  private waiting: (() => Promise<void>)[] = [];

  /** @param folder made when something is kept */
  constructor(private readonly folder: string) {}

  /** What stands for a data set in the folder. */
  static nameOf(...parts: readonly unknown[]): string {
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  }

  /**
   * Keeps what was read since the last call. Called when a stage has accepted its data: one that it refused is read anew,
   * so that it can be put right.
   */
  async commit(): Promise<void> {
    const waiting = this.waiting.splice(0);
    if (waiting.length === 0) return;
    await writing(this.folder, () => mkdir(this.folder, { recursive: true }));
    for (const keep of waiting) await keep();
  }

  /** The tokens of a data set. @param list its files as they are now; @param say told what has changed */
  async tokens(
    name: string,
    list: () => readonly string[],
    read: () => Promise<TokenFile>,
    say: (changes: string) => void,
  ): Promise<TokenFile> {
    const head = this.path(`${name}.json`);
    const tokens = this.path(`${name}.bin`);
    if (existsSync(head)) {
      const { files, info } = readJson(head, frozenTokens);
      await tellChanges(files, list, say);
      return new TokenFile(tokens, info);
    }
    const fresh = await read();
    this.waiting.push(async () => {
      const marks = await marksOf(list);
      await writing(tokens, () => linkOrCopy(fresh.file, tokens));
      await writeFileAtomic(head, JSON.stringify({ files: marks, info: fresh.info }));
    });
    return fresh;
  }

  /** The rows of a data set; see {@link tokens}. */
  async rows(
    name: string,
    list: () => readonly string[],
    read: () => Promise<ReadRows>,
    say: (changes: string) => void,
  ): Promise<ReadRows> {
    const path = this.path(`${name}.jsonl`);
    if (existsSync(path)) {
      const { files, ...kept } = await readKept(path).catch((cause: unknown) => {
        throw trainErrors.keptData(path, cause);
      });
      await tellChanges(files, list, say);
      return kept;
    }
    const fresh = await read();
    this.waiting.push(async () => {
      const { used, skipped, examples } = fresh.report;
      const head = { files: await marksOf(list), used, skipped: [...skipped], examples: [...examples] };
      await writeAtomically(path, async (handle) => {
        await handle.appendFile(`${JSON.stringify(head)}\n`);
        for (let at = 0; at < fresh.rows.length; at += writtenRows) {
          const lines = fresh.rows
            .slice(at, at + writtenRows)
            .map((row) => JSON.stringify({ row, place: placeOf(row) }));
          await handle.appendFile(`${lines.join('\n')}\n`);
        }
      });
    });
    return fresh;
  }

  /** How much of a file that grows there was: bytes. */
  length(name: string, now: number): number {
    const path = this.path(`${name}.length.json`);
    if (existsSync(path)) return readJson(path, frozenLength).length;
    this.waiting.push(() => writeFileAtomic(path, JSON.stringify({ length: now })));
    return now;
  }

  private path(file: string): string {
    return join(this.folder, file);
  }
}

/** Rows that are written at once. */
const writtenRows = 1000;

/** @throws train.keptData */
function readJson<T>(path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readText(path, limits.whole)));
  } catch (cause) {
    throw trainErrors.keptData(path, cause);
  }
}

async function readKept(path: string): Promise<ReadRows & { readonly files: readonly FileMark[] }> {
  const rows: Row[] = [];
  const report = new RowReport();
  let files: readonly FileMark[] = [];
  for await (const { number, bytes } of readLines(path, { limit: Number.POSITIVE_INFINITY })) {
    const value: unknown = JSON.parse(bytes?.toString('utf8') ?? 'null');
    if (number > 1) {
      const { row, place } = keptRow.parse(value);
      rows.push(placed(row, place));
      continue;
    }
    const head = frozenRows.parse(value);
    files = head.files;
    report.used = head.used;
    for (const [id, count] of head.skipped) report.skipped.set(id, count);
    for (const [id, words] of head.examples) report.examples.set(id, words);
  }
  return { rows, report, files };
}

/** The same file under another name, which costs no room; a copy where the disk does not allow it. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  try {
    await link(from, to);
  } catch {
    const temporary = temporaryName(to);
    await copyFile(from, temporary);
    await rename(temporary, to);
  }
}

async function marksOf(list: () => readonly string[]): Promise<FileMark[]> {
  const marks: FileMark[] = [];
  // A file that goes just now is told of later, as one that is gone.
  for (const path of listed(list))
    marks.push(await markOf(path).catch(() => ({ path, size: 0, modified: 0, hash: '' })));
  return marks;
}

/** Says in words what has become of the files; nothing where all are as they were. */
async function tellChanges(
  files: readonly FileMark[],
  list: () => readonly string[],
  say: (changes: string) => void,
): Promise<void> {
  let changed = 0;
  let gone = 0;
  for (const { path, size, modified, hash } of files) {
    const now = statSync(path, { throwIfNoEntry: false });
    if (now === undefined) gone++;
    else if (now.size !== size || (now.mtimeMs !== modified && (await hashOf(path)) !== hash)) changed++;
  }
  const known = new Set(files.map(({ path }) => path));
  const added = listed(list).filter((path) => !known.has(path)).length;
  const counts = [
    [changed, 'changed'],
    [gone, 'gone'],
    [added, 'new'],
  ] as const;
  const words = counts.flatMap(([count, what]) =>
    count === 0 ? [] : `${count} ${count === 1 ? 'file' : 'files'} ${what}`,
  );
  if (words.length > 0) say(words.join(', '));
}

/** A folder that is gone has no files. */
function listed(list: () => readonly string[]): readonly string[] {
  try {
    return list();
  } catch {
    return [];
  }
}
