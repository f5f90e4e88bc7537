/** Data of a spec as what stages take: streams of packed tokens, or rows in a shuffled order. */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { dataErrors } from '../data/errors.ts';
import { Arithmetic } from '../data/generators/arithmetic.ts';
import { Countdown } from '../data/generators/countdown.ts';
import { demonstrations } from '../data/generators/demonstrations.ts';
import { taskNames } from '../data/generators/names.ts';
import { holdsRows } from '../data/records.ts';
import { type Row, RowReport } from '../data/rows.ts';
import { readRows, type Source, sourceFiles } from '../data/sources.ts';
import { cachedTokens, type TokenFile } from '../data/token-cache.ts';
import { tokenRow } from '../data/token-row.ts';
import { arrayTokens, type TokenSource, TokenStream, tokenStreamState } from '../data/token-stream.ts';
import { unlearned } from '../data/unlearned.ts';
import { gameOf } from '../environments/registry.ts';
import { ColaError } from '../errors.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat/chat.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { DataSpec } from '../spec/settings/parts.ts';
import { trainErrors } from './errors.ts';
import { FrozenData, type ReadRows } from './run/frozen.ts';
import type { StageContext } from './stage.ts';
import type { KeptStates } from './states/kept-states.ts';
import type { BatchSource, Feeds } from './supervised.ts';

/** Share of the data that is held out where the spec names no held-out data. */
const heldOutShare = 1 / 50;

/** Problems of a task that are written out where a stage learns from text. */
const taskTexts = { train: 20_000, test: 1_000 };

type TaskData = Extract<DataSpec, { task: string }>;
type Demonstrations = Extract<DataSpec, { environment: unknown }>;
/** What is made up from a seed, with a side to measure on. */
type MadeData = TaskData | Demonstrations;
type FileData = Exclude<DataSpec, string | MadeData>;

const isMade = (data: FileData | MadeData): data is MadeData => 'task' in data || 'environment' in data;

/** Episodes to measure on. */
const measuredEpisodes = 64;

/** What reading rows needs of a stage. */
export type RowContext = Pick<StageContext, 'resolve' | 'signal' | 'say' | 'frozen' | 'seed'> & {
  /** The model that the rows are for; without one, nothing is said of its template. */
  readonly base?: StageContext['base'];
};

/** Brings the short forms to the long ones. */
function expandData(data: DataSpec, context: Pick<StageContext, 'resolve'>): FileData | MadeData {
  if (typeof data !== 'string') return data;
  const task = taskNames.find((name) => name === data);
  if (task !== undefined) return { task } as TaskData;
  if (holdsRows(data)) return { jsonl: data, skip_bad_rows: false };
  const path = context.resolve(data);
  if (existsSync(path) && statSync(path).isDirectory()) return { workspace: data, globs: ['**/*'] };
  return { text: [data] };
}

function sourceOf(data: FileData, context: Pick<StageContext, 'resolve'>): { source: Source; skipBadRows: boolean } {
  if ('jsonl' in data) {
    const columns = data.columns === undefined ? {} : { columns: data.columns };
    return {
      source: { kind: 'jsonl', file: context.resolve(data.jsonl), ...columns },
      skipBadRows: data.skip_bad_rows,
    };
  }
  if ('text' in data) return { source: { kind: 'text', files: data.text.map(context.resolve) }, skipBadRows: false };
  const { globs, strict = false } = data;
  return { source: { kind: 'workspace', root: context.resolve(data.workspace), globs, strict }, skipBadRows: false };
}

/** Whether rows that cannot be used are left out and counted. */
export function skipsBadRows(data: DataSpec): boolean {
  return typeof data === 'object' && 'jsonl' in data && data.skip_bad_rows;
}

/** What reading tokens needs of a stage. */
export type TextContext = Pick<StageContext, 'resolve' | 'signal' | 'say' | 'frozen' | 'seed' | 'cacheFolder'> & {
  readonly base: Pick<LanguageModel, 'config' | 'folder' | 'tokenizer'>;
};

export function tokenizerOf(context: Pick<TextContext, 'base'>): Tokenizer {
  const { base } = context;
  if (base.tokenizer === undefined) throw trainErrors.noTokenizer(base.folder);
  return base.tokenizer;
}

/** The chat template of a model, where it has one. @throws chat.*, if it has one that is broken */
export function templateOf(context: { readonly base: Pick<LanguageModel, 'folder'> }): ChatTemplate | undefined {
  try {
    return loadChatTemplate(context.base.folder);
  } catch (error) {
    if (error instanceof ColaError && error.id === 'chat.noTemplate') return undefined;
    throw error;
  }
}

/** Id behind every document. */
function endOf(context: Pick<TextContext, 'base'>, tokenizer: Tokenizer): number {
  return tokenizer.eosId ?? context.base.config.eosTokenIds[0] ?? 0;
}

/** A range of tokens of another source. */
function part(source: TokenSource, start: number, length: number): TokenSource {
  return { length, read: (at, target) => source.read(start + at, target) };
}

/** Says what has become of the files since the run began, where something has. */
const changesOf = (data: DataSpec, context: Pick<StageContext, 'say'>) => (changes: string) =>
  context.say(`${dataName(data)}: ${changes} since the run began; it goes on with the data that it began with`);

async function tokensOf(data: DataSpec, long: FileData, context: TextContext): Promise<TokenFile> {
  const tokenizer = tokenizerOf(context);
  const { source, skipBadRows } = sourceOf(long, context);
  const template = templateOf(context);
  const read = () =>
    cachedTokens({
      source,
      tokenizer,
      eosId: endOf(context, tokenizer),
      folder: context.cacheFolder,
      signal: context.signal,
      read: { skipBadRows },
      ...(template === undefined ? {} : { template }),
      onProgress: (tokens) => context.say(`${(tokens / 1e6).toFixed(1)} M tokens read`),
    });
  const name = FrozenData.nameOf('tokens', data, tokenizer.fingerprint);
  const list = () => sourceFiles(source);
  const file = (await context.frozen?.tokens(name, list, read, changesOf(data, context))) ?? (await read());
  const { documents, plain, skipped, examples } = file.info;
  const reasons = Object.entries(skipped).map(([id, count]) => `${count} x ${id}: ${examples[id]}`);
  if (skipBadRows || reasons.length > 0) context.say(leftOut(long, documents, reasons.join('; ')));
  if (plain > 0) context.say(plainWords(long));
  if (source.kind === 'text') sayRowsAsText(source.files, context);
  return file;
}

/** Brackets and names of columns are learned as well, which is seldom meant. */
function sayRowsAsText(files: readonly string[], context: Pick<TextContext, 'say'>): void {
  for (const file of files.filter(holdsRows)) {
    const name = basename(file);
    context.say(`${name} is read as plain text, brackets and names of columns too; for its rows: { jsonl: ${name} }`);
  }
}

/**
 * @property masked whether some tokens are {@link unlearned}
 * @property contents a hash of the tokens
 */
type ClosableTokens = TokenSource & { readonly masked: boolean; readonly contents: string; close(): void };

/** Solved problems of a task or episodes, one after the other, as a text to learn from. */
async function madeTokens(data: MadeData, context: TextContext, side: 'train' | 'test'): Promise<ClosableTokens> {
  const tokenizer = tokenizerOf(context);
  const template = templateOf(context);
  const end = endOf(context, tokenizer);
  const rows = madeRows(data, context, side, taskTexts[side]);
  const masked = 'environment' in data;
  const ids = rows.flatMap((row) => {
    const { prompt, response, mask } = tokenRow(row, tokenizer, template, end);
    const given = Array.from(prompt, (id) => (masked ? unlearned(id) : id));
    return [...given, ...Array.from(response, (id, i) => (mask?.[i] === 0 ? unlearned(id) : id))];
  });
  const tokens = Int32Array.from(ids);
  const contents = createHash('sha256').update(tokens).digest('hex');
  return { ...arrayTokens(tokens), masked, contents, close: () => undefined };
}

function leftOut(data: DataSpec, used: number, reasons: string): string {
  const what = typeof data === 'object' && 'workspace' in data ? 'texts' : 'rows';
  return `${dataName(data)}: ${used} ${what} used, ${reasons === '' ? 'none left out' : `left out: ${reasons}`}`;
}

const plainWords = (data: DataSpec): string =>
  `${dataName(data)}: the model has no chat template, so conversations are written as plain turns (User: …)`;

/** A path as a person would say it: where a run lies in `.cola` is of no interest. */
const spoken = (path: string): string => path.replace(/^(?:\.\.\/)+/, '');

/** What a data set is called in messages. */
export function dataName(data: DataSpec): string {
  if (typeof data === 'string') return spoken(data);
  if ('task' in data) return `the task ${data.task}`;
  if ('environment' in data) return `demonstrations in ${gameOf(data.environment).name}`;
  if ('jsonl' in data) return spoken(data.jsonl);
  return 'text' in data ? data.text.map(spoken).join(', ') : spoken(data.workspace);
}

export interface PackedData {
  readonly train: TokenStream;
  /** A fixed number of held-out sequences: ids `[B,T+1]` each. */
  readonly heldOut: readonly Int32Array[];
  /** Whether some tokens are {@link unlearned}. */
  readonly masked: boolean;
  /** Those to learn from, and a hash of them with those behind them. */
  readonly tokens: number;
  readonly contents: string;
  /** Closes the files. */
  close(): void;
}

/**
 * Packed sequences of T + 1 tokens, and held-out ones.
 *
 * @param tooFew what is said of too little text
 * @throws train.tooLong, train.tooFewTokens, data.*
 */
export async function packedData(
  settings: {
    readonly data: DataSpec;
    readonly held_out?: DataSpec | undefined;
    readonly batch: number;
    readonly length: number;
  },
  context: TextContext,
  heldOutBatches: number,
  tooFew = trainErrors.tooFewTokens,
): Promise<PackedData> {
  const { length, batch } = settings;
  const longest = context.base.config.maxPositionEmbeddings;
  if (length > longest) throw trainErrors.tooLong(length, longest);
  const tokens = async (data: DataSpec, side: 'train' | 'test'): Promise<ClosableTokens> => {
    const long = expandData(data, context);
    return isMade(long) ? madeTokens(long, context, side) : tokensOf(data, long, context);
  };
  const all = await tokens(settings.data, 'train');
  const held = settings.held_out ?? (isMade(expandData(settings.data, context)) ? settings.data : undefined);
  const other = held === undefined ? undefined : await tokens(held, 'test');
  const masked = all.masked || other?.masked === true;
  const close = () => {
    all.close();
    other?.close();
  };
  try {
    const window = length + 1;
    const need = other === undefined ? 2 * window : window;
    if (all.length < need) throw tooFew(dataName(settings.data), all.length, need);
    if (other !== undefined && held !== undefined && other.length < window)
      throw tooFew(dataName(held), other.length, window);
    const cut =
      other === undefined ? Math.min(Math.floor(all.length * (1 - heldOutShare)), all.length - window) : all.length;
    const measured = other ?? part(all, cut, all.length - cut);
    const stream = new TokenStream(measured, 1);
    const available = Math.floor((measured.length - 1) / (length * batch));
    const heldOut = Array.from({ length: Math.max(1, Math.min(heldOutBatches, available)) }, () =>
      stream.next(batch, length),
    );
    const { contents } = all;
    return { train: new TokenStream(part(all, 0, cut), context.seed), heldOut, masked, tokens: cut, contents, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Packed sequences as micro-batches: `ids [B,T]` and `targets [B,T]`. @param states the hidden states go along with them */
export function packedBatches(
  stream: TokenStream,
  batch: number,
  length: number,
  feeds: (ids: Int32Array) => Feeds,
  states?: KeptStates,
): BatchSource {
  return {
    next() {
      const made = feeds(stream.next(batch, length));
      return states?.of(made, stream.windows) ?? made;
    },
    get state() {
      return stream.state;
    },
    restore: (state) => stream.restore(tokenStreamState.parse(state)),
  };
}

/** What is kept of the rows of a data set in memory, in bytes of its files. */
const memoryLimit = 512 * 1024 * 1024;

/**
 * All rows of a data set in memory, each as `convert` makes it: prompts are short. Tasks give `count` problems of the named
 * side. Rows that `convert` cannot take are left out where the data says so, and counted.
 *
 * @param convert gives undefined for a row that is not wanted
 * @throws data.*, and what `convert` throws
 */
async function rowsOf<T>(
  data: DataSpec,
  context: RowContext,
  side: 'train' | 'test',
  count: number,
  convert: (row: Row) => T | undefined,
): Promise<T[]> {
  const long = expandData(data, context);
  if (isMade(long)) return madeRows(long, context, side, count).flatMap((row) => convert(row) ?? []);
  const { source, skipBadRows } = sourceOf(long, context);
  const read = () => readAll(source, skipBadRows, context.signal);
  const list = () => sourceFiles(source);
  const name = FrozenData.nameOf('rows', data);
  const { rows, report } = (await context.frozen?.rows(name, list, read, changesOf(data, context))) ?? (await read());
  const counted = report.copy();
  const converted: T[] = [];
  for (const row of rows) {
    context.signal.throwIfAborted();
    try {
      const made = convert(row);
      if (made !== undefined) converted.push(made);
    } catch (error) {
      if (!skipBadRows) throw error;
      counted.drop(error);
    }
  }
  if (skipBadRows || counted.skipped.size > 0) context.say(leftOut(long, counted.used, counted.describe()));
  if (converted.length === 0 && counted.skipped.size > 0)
    throw dataErrors.noUsableRows(dataName(data), counted.describe());
  const { base } = context;
  const chats = base !== undefined && rows.some(({ kind }) => kind === 'chat');
  if (chats && templateOf({ base }) === undefined) context.say(plainWords(long));
  return converted;
}

async function readAll(source: Source, skipBadRows: boolean, signal: AbortSignal): Promise<ReadRows> {
  const rows: Row[] = [];
  const report = new RowReport();
  let size = 0;
  for await (const row of readRows(source, { skipBadRows, report })) {
    signal.throwIfAborted();
    size += sizeOf(row);
    if (size > memoryLimit) throw dataErrors.tooLarge(sourceFiles(source)[0], memoryLimit);
    rows.push(row);
  }
  return { rows, report };
}

/** Characters of a row, near enough. */
function sizeOf(row: Row): number {
  const own = row.kind === 'text' ? row.text.length : row.kind === 'prompt' ? row.prompt.length : 0;
  const said = row.kind === 'chat' ? row.messages.reduce((n, { content }) => n + content.length, 0) : 0;
  const rest = Object.values(row.columns).reduce<number>(
    (n, value) => n + (typeof value === 'string' ? value.length : 8),
    0,
  );
  return own + said + rest + (row.kind === 'prompt' ? (row.response?.length ?? 0) : 0);
}

/** @param count of problems; demonstrations say how many they are */
function madeRows(data: MadeData, context: Pick<StageContext, 'seed'>, side: 'train' | 'test', count: number): Row[] {
  if ('environment' in data) {
    const { environment, episodes, seed = context.seed } = data;
    const train = side === 'train';
    const worlds = { side: train ? 'seen' : 'unseen', episodes: train ? episodes : measuredEpisodes } as const;
    return demonstrations(gameOf(environment), { seed, ...worlds });
  }
  const { task, ...options } = data;
  const settings = { ...options, seed: context.seed, split: side };
  const generator = task === 'countdown' ? new Countdown(settings) : new Arithmetic(settings);
  return Array.from({ length: count }, () => {
    const { prompt, response, ...columns } = generator.next();
    return { kind: 'prompt', prompt, response, columns };
  });
}

/** Rows to learn from, and rows to measure on. */
export interface SplitRows<T> {
  readonly train: T[];
  readonly heldOut: T[];
}

/**
 * The rows of a stage that learns from rows. Files without held-out rows of their own give their last ones; tasks have a
 * side for testing.
 *
 * @param share of a file's rows that is held out
 * @param problems how many problems of a task are drawn for each side
 * @param convert what becomes of each row; undefined for one that is not wanted
 * @throws train.tooFewRows, data.*, and what `convert` throws
 */
export async function splitRows<T>(
  data: DataSpec,
  heldOut: DataSpec | undefined,
  context: RowContext,
  share: number,
  problems: { readonly train: number; readonly test: number },
  convert: (row: Row) => T | undefined,
): Promise<SplitRows<T>> {
  const train = await rowsOf(data, context, 'train', problems.train, convert);
  if (heldOut !== undefined || isMade(expandData(data, context)))
    return { train, heldOut: await rowsOf(heldOut ?? data, context, 'test', problems.test, convert) };
  if (train.length < 2) throw trainErrors.tooFewRows(dataName(data), train.length, 2);
  return { train, heldOut: train.splice(-Math.max(1, Math.floor(train.length * share))) };
}
