/** Data of a spec as what stages take: streams of packed tokens, or rows in a shuffled order. */
import { existsSync, statSync } from 'node:fs';
import { Arithmetic } from '../data/generators/arithmetic.ts';
import { Countdown } from '../data/generators/countdown.ts';
import { type Row, RowReport } from '../data/rows.ts';
import { readRows, type Source } from '../data/sources.ts';
import { cachedTokens, type TokenFile } from '../data/token-cache.ts';
import { arrayTokens, type TokenSource, TokenStream, tokenStreamState } from '../data/token-stream.ts';
import { ColaError } from '../errors.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { DataSpec } from '../spec/settings.ts';
import { trainErrors } from './errors.ts';
import { tokenRows } from './row-batches.ts';
import type { StageContext } from './stage.ts';
import type { BatchSource, Feeds } from './supervised.ts';

/** Share of the data that is held out where the spec names no held-out data. */
const heldOutShare = 1 / 50;

const taskNames = ['countdown', 'arithmetic'] as const;

/** Problems of a task that are written out where a stage learns from text. */
const taskTexts = { train: 20_000, test: 1_000 };

type FileData = Exclude<DataSpec, string | { task: string }>;
type TaskData = Extract<DataSpec, { task: string }>;

/** Brings the short forms to the long ones. */
function expandData(data: DataSpec, context: StageContext): FileData | TaskData {
  if (typeof data !== 'string') return data;
  const task = taskNames.find((name) => name === data);
  if (task !== undefined) return { task } as TaskData;
  if (data.endsWith('.jsonl')) return { jsonl: data, skip_bad_rows: false };
  const path = context.resolve(data);
  if (existsSync(path) && statSync(path).isDirectory()) return { workspace: data, globs: ['**/*'] };
  return { text: [data] };
}

function sourceOf(data: FileData, context: StageContext): { source: Source; skipBadRows: boolean } {
  if ('jsonl' in data) {
    const columns = data.columns === undefined ? {} : { columns: data.columns };
    return {
      source: { kind: 'jsonl', file: context.resolve(data.jsonl), ...columns },
      skipBadRows: data.skip_bad_rows,
    };
  }
  if ('text' in data) return { source: { kind: 'text', files: data.text.map(context.resolve) }, skipBadRows: false };
  return {
    source: { kind: 'workspace', root: context.resolve(data.workspace), globs: data.globs },
    skipBadRows: false,
  };
}

export function tokenizerOf(context: StageContext): Tokenizer {
  const { base } = context;
  if (base.tokenizer === undefined) throw trainErrors.noTokenizer(base.folder);
  return base.tokenizer;
}

/** The chat template of a model, where it has one. @throws chat.*, if it has one that is broken */
export function templateOf(context: StageContext): ChatTemplate | undefined {
  try {
    return loadChatTemplate(context.base.folder);
  } catch (error) {
    if (error instanceof ColaError && error.id === 'chat.noTemplate') return undefined;
    throw error;
  }
}

/** Id behind every document. */
function endOf(context: StageContext, tokenizer: Tokenizer): number {
  return tokenizer.eosId ?? context.base.config.eosTokenIds[0] ?? 0;
}

/** A range of tokens of another source. */
function part(source: TokenSource, start: number, length: number): TokenSource {
  return { length, read: (at, target) => source.read(start + at, target) };
}

async function tokensOf(data: FileData, context: StageContext): Promise<TokenFile> {
  const tokenizer = tokenizerOf(context);
  const { source, skipBadRows } = sourceOf(data, context);
  const template = templateOf(context);
  const file = await cachedTokens({
    source,
    tokenizer,
    eosId: endOf(context, tokenizer),
    folder: context.cacheFolder,
    signal: context.signal,
    read: { skipBadRows },
    ...(template === undefined ? {} : { template }),
    onProgress: (tokens) => context.say(`${(tokens / 1e6).toFixed(1)} M tokens read`),
  });
  const skipped = Object.entries(file.info.skipped).map(([id, rows]) => `${rows} x ${id}`);
  if (skipBadRows) context.say(leftOut(data, file.info.documents, skipped.join('; ')));
  return file;
}

type ClosableTokens = TokenSource & { close(): void };

/** Solved problems of a task, one after the other, as a text to learn from. */
async function taskTokens(data: TaskData, context: StageContext, side: 'train' | 'test'): Promise<ClosableTokens> {
  const tokenizer = tokenizerOf(context);
  const rows = await rowsOf(data, context, side, taskTexts[side]);
  const documents = tokenRows(rows, tokenizer, templateOf(context), endOf(context, tokenizer));
  const ids = documents.flatMap(({ prompt, response }) => [...Array.from(prompt), ...Array.from(response)]);
  return { ...arrayTokens(Int32Array.from(ids)), close: () => undefined };
}

function leftOut(data: DataSpec, used: number, reasons: string): string {
  return `${nameOf(data)}: ${used} rows used, ${reasons === '' ? 'none left out' : `left out: ${reasons}`}`;
}

/** What a data set is called in messages. */
export function nameOf(data: DataSpec): string {
  if (typeof data === 'string') return data;
  if ('task' in data) return `the task ${data.task}`;
  return 'jsonl' in data ? data.jsonl : 'text' in data ? data.text.join(', ') : data.workspace;
}

export interface PackedData {
  readonly train: TokenStream;
  /** A fixed number of held-out sequences: ids `[B,T+1]` each. */
  readonly heldOut: readonly Int32Array[];
  readonly tokens: number;
  /** Closes the files. */
  close(): void;
}

/**
 * Packed sequences of T + 1 tokens, and held-out ones.
 *
 * @throws train.tooLong, train.tooFewTokens, data.*
 */
export async function packedData(
  settings: {
    readonly data: DataSpec;
    readonly held_out?: DataSpec | undefined;
    readonly batch: number;
    readonly length: number;
  },
  context: StageContext,
  heldOutBatches: number,
): Promise<PackedData> {
  const { length, batch } = settings;
  const longest = context.base.config.maxPositionEmbeddings;
  if (length > longest) throw trainErrors.tooLong(length, longest);
  const tokens = async (data: DataSpec, side: 'train' | 'test'): Promise<ClosableTokens> => {
    const long = expandData(data, context);
    return 'task' in long ? taskTokens(long, context, side) : tokensOf(long, context);
  };
  const all = await tokens(settings.data, 'train');
  const held = settings.held_out ?? ('task' in expandData(settings.data, context) ? settings.data : undefined);
  const other = held === undefined ? undefined : await tokens(held, 'test');
  const close = () => {
    all.close();
    other?.close();
  };
  try {
    const window = length + 1;
    const need = other === undefined ? 2 * window : window;
    if (all.length < need) throw trainErrors.tooFewTokens(nameOf(settings.data), all.length, need);
    if (other !== undefined && held !== undefined && other.length < window)
      throw trainErrors.tooFewTokens(nameOf(held), other.length, window);
    const cut =
      other === undefined ? Math.min(Math.floor(all.length * (1 - heldOutShare)), all.length - window) : all.length;
    const measured = other ?? part(all, cut, all.length - cut);
    const stream = new TokenStream(measured, 1);
    const available = Math.floor((measured.length - 1) / (length * batch));
    const heldOut = Array.from({ length: Math.max(1, Math.min(heldOutBatches, available)) }, () =>
      stream.next(batch, length),
    );
    return { train: new TokenStream(part(all, 0, cut), context.seed), heldOut, tokens: cut, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Packed sequences as micro-batches: `ids [B,T]` and `targets [B,T]`. */
export function packedBatches(
  stream: TokenStream,
  batch: number,
  length: number,
  feeds: (ids: Int32Array) => Feeds,
): BatchSource {
  return {
    next: () => feeds(stream.next(batch, length)),
    get state() {
      return stream.state;
    },
    restore: (state) => stream.restore(tokenStreamState.parse(state)),
  };
}

/**
 * All rows of a data set in memory: prompts are short. Tasks give `count` problems of the named side.
 *
 * @throws data.*
 */
export async function rowsOf(
  data: DataSpec,
  context: StageContext,
  side: 'train' | 'test',
  count: number,
): Promise<Row[]> {
  const long = expandData(data, context);
  if ('task' in long) {
    const { task, ...options } = long;
    const settings = { ...options, seed: context.seed, split: side };
    const generator = task === 'countdown' ? new Countdown(settings) : new Arithmetic(settings);
    return Array.from({ length: count }, () => {
      const { prompt, response, ...columns } = generator.next();
      return { kind: 'prompt', prompt, response, columns };
    });
  }
  const { source, skipBadRows } = sourceOf(long, context);
  const rows: Row[] = [];
  const report = new RowReport();
  for await (const row of readRows(source, { skipBadRows, report })) rows.push(row);
  if (skipBadRows) context.say(leftOut(long, report.used, report.describe()));
  return rows;
}

/** Rows to learn from, and rows to measure on. */
export interface SplitRows {
  readonly train: Row[];
  readonly heldOut: Row[];
}

/**
 * The rows of a stage that learns from rows. Files without held-out rows of their own give their last ones; tasks have a
 * side for testing.
 *
 * @param share of a file's rows that is held out
 * @param problems how many problems of a task are drawn for each side
 * @throws train.tooFewRows, data.*
 */
export async function splitRows(
  data: DataSpec,
  heldOut: DataSpec | undefined,
  context: StageContext,
  share: number,
  problems: { readonly train: number; readonly test: number },
): Promise<SplitRows> {
  const train = await rowsOf(data, context, 'train', problems.train);
  const isTask = 'task' in expandData(data, context);
  if (heldOut !== undefined || isTask)
    return { train, heldOut: await rowsOf(heldOut ?? data, context, 'test', problems.test) };
  if (train.length < 2) throw trainErrors.tooFewRows(nameOf(data), train.length, 2);
  return { train, heldOut: train.splice(-Math.max(1, Math.floor(train.length * share))) };
}
