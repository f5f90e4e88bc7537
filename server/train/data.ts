/** Data of a spec as what stages take: streams of packed tokens, or rows in a shuffled order. */
import { existsSync, statSync } from 'node:fs';
import { Arithmetic } from '../data/generators/arithmetic.ts';
import { Countdown } from '../data/generators/countdown.ts';
import { type Row, RowReport } from '../data/rows.ts';
import { readRows, type Source } from '../data/sources.ts';
import { cachedTokens } from '../data/token-cache.ts';
import { type TokenSource, TokenStream, tokenStreamState } from '../data/token-stream.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { DataSpec } from '../spec/settings.ts';
import { trainErrors } from './errors.ts';
import type { StageContext } from './stage.ts';
import type { BatchSource, Feeds } from './supervised.ts';

/** Share of the data that is held out where the spec names no held-out data. */
const heldOutShare = 1 / 50;

const taskNames = ['countdown', 'arithmetic'] as const;

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

/** The chat template of a model, where it has one. */
export function templateOf(context: StageContext): ChatTemplate | undefined {
  try {
    return loadChatTemplate(context.base.folder);
  } catch {
    return undefined;
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

async function tokensOf(data: FileData, context: StageContext): Promise<TokenSource> {
  const tokenizer = tokenizerOf(context);
  const { source, skipBadRows } = sourceOf(data, context);
  const template = templateOf(context);
  return cachedTokens({
    source,
    tokenizer,
    eosId: endOf(context, tokenizer),
    folder: context.cacheFolder,
    signal: context.signal,
    read: { skipBadRows },
    ...(template === undefined ? {} : { template }),
    onProgress: (tokens) => context.say(`${(tokens / 1e6).toFixed(1)} M tokens read`),
  });
}

export interface PackedData {
  readonly train: TokenStream;
  /** A fixed number of held-out sequences: ids `[B,T+1]` each. */
  readonly heldOut: readonly Int32Array[];
  readonly tokens: number;
}

/**
 * Packed sequences of T + 1 tokens, and held-out ones.
 *
 * @throws train.setting for tasks, which have rows and no text; data.*
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
  const fileData = (data: DataSpec): FileData => {
    const long = expandData(data, context);
    if ('task' in long)
      throw trainErrors.setting(
        'pretrain, control or clone',
        'data',
        'a task has problems and no text; write them to a file',
      );
    return long;
  };
  const all = await tokensOf(fileData(settings.data), context);
  const cut = settings.held_out === undefined ? Math.floor(all.length * (1 - heldOutShare)) : all.length;
  const held =
    settings.held_out === undefined
      ? part(all, cut, all.length - cut)
      : await tokensOf(fileData(settings.held_out), context);
  const stream = new TokenStream(held, 1);
  const available = Math.floor((held.length - 1) / (settings.length * settings.batch));
  const heldOut = Array.from({ length: Math.max(1, Math.min(heldOutBatches, available)) }, () =>
    stream.next(settings.batch, settings.length),
  );
  return { train: new TokenStream(part(all, 0, cut), context.seed), heldOut, tokens: cut };
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
  if (skipBadRows) context.say(report.describe());
  return rows;
}
