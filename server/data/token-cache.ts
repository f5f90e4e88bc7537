/**
 * Tokens of a data set on disk, made once: `<key>.bin` with the ids one after another (uint16 or uint32, or int32 where some
 * are only read, as `unlearned` has them; little-endian, EOS behind every document) and `<key>.json` about them. The key is a hash of the files, the tokenizer and the settings, so a
 * change of any makes another pair. The .json is renamed into place last: where it is, the .bin is whole.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { limits, openFile, readText } from '../files/open.ts';
import { makeFolder, needPlace } from '../files/place.ts';
import type { ChatTemplate } from '../model/chat/chat.ts';
import { Speech } from '../model/chat/speech.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { contentOf } from '../store/manifest.ts';
import { storedBytes } from './bytes.ts';
import { plainTurns } from './conversation.ts';
import { dataErrors } from './errors.ts';
import { answerOf, hasControlTokens, type Row, RowReport } from './rows.ts';
import { type ReadOptions, readRows, type Source, sourceFiles } from './sources.ts';
import type { TokenSource } from './token-stream.ts';
import { unlearned } from './unlearned.ts';

const FORMAT = 3;
/** Raised where rows are read otherwise than before, so that they are read anew. */
const READING = 2;
/** Tokens are written in pieces of about this many bytes. */
const WRITE_BYTES = 1024 * 1024;

export const cacheInfo = z.strictObject({
  format: z.literal(FORMAT),
  key: z.string(),
  type: z.enum(['uint16', 'uint32', 'int32']),
  tokens: z.int().min(1),
  /** Of the .bin. */
  sha256: z.string(),
  documents: z.int().min(1),
  /** Documents among them that are conversations, written as plain turns for want of a chat template. */
  plain: z.int(),
  /** Rows left out, by reason. */
  skipped: z.record(z.string(), z.int()),
  /** The first such row of each reason, in words. */
  examples: z.record(z.string(), z.string()),
});
export type CacheInfo = z.infer<typeof cacheInfo>;

export interface CacheRequest {
  readonly source: Source;
  readonly tokenizer: Tokenizer;
  /** Put behind every document. */
  readonly eosId: number;
  /** Where the files are kept; made if need be. */
  readonly folder: string;
  /** For rows of messages. */
  readonly template?: ChatTemplate;
  readonly read?: Omit<ReadOptions, 'report'>;
  readonly signal?: AbortSignal;
  /** Called now and then with the number of tokens so far. */
  readonly onProgress?: (tokens: number) => void;
}

/**
 * Token ids of a row: its text, its prompt and response one after the other, or its conversation, as plain turns where there
 * is no template. Of a row without a response the right answer is said.
 */
export function encodeRow(
  row: Row,
  tokenizer: Tokenizer,
  template?: ChatTemplate,
): { ids: Int32Array; responseMask: Uint8Array } {
  const options = { addSpecialTokens: false, controlTokens: hasControlTokens(row) };
  const encode = (text: string) => tokenizer.encode(text, options);
  switch (row.kind) {
    case 'text': {
      // Each apart, as axolotl has it: a token must not reach from what is read into what is learned.
      const parts = (row.parts ?? [{ text: row.text, learned: true }]).map((part) => ({
        ...part,
        ids: encode(part.text),
      }));
      const ids = new Int32Array(parts.reduce((n, part) => n + part.ids.length, 0));
      const responseMask = new Uint8Array(ids.length);
      let at = 0;
      for (const part of parts) {
        ids.set(part.ids, at);
        responseMask.fill(part.learned ? 1 : 0, at, at + part.ids.length);
        at += part.ids.length;
      }
      return { ids, responseMask };
    }
    case 'prompt': {
      // Apart, as in generation: a token must not reach across the border.
      const prompt = encode(row.prompt);
      const response = encode(row.response ?? answerOf(row) ?? '');
      const ids = new Int32Array(prompt.length + response.length);
      ids.set(prompt);
      ids.set(response, prompt.length);
      return { ids, responseMask: new Uint8Array(ids.length).fill(1, prompt.length) };
    }
    case 'chat': {
      const { columns } = row;
      if (row.episode === true) return new Speech(tokenizer, template).conversation(row.messages);
      if (template === undefined) {
        const { prompt, response } = plainTurns(row.messages);
        const turns = { kind: 'prompt', prompt, ...(response === undefined ? {} : { response }), columns } as const;
        return encodeRow(turns, tokenizer);
      }
      if (row.messages.some(({ role }) => role === 'assistant')) return template.encode(row.messages, tokenizer);
      const ids = encode(template.render(row.messages));
      return { ids, responseMask: new Uint8Array(ids.length) };
    }
  }
}

const arrayOf = (type: CacheInfo['type'], length: number) =>
  type === 'uint16' ? new Uint16Array(length) : type === 'uint32' ? new Uint32Array(length) : new Int32Array(length);

const isInParts = (row: Row): boolean => row.kind === 'text' && row.parts !== undefined;

/** A row with EOS behind it, and its tokens that are only read as `unlearned` has them. */
function documentOf(row: Row, tokenizer: Tokenizer, { template, eosId }: CacheRequest): Int32Array {
  const { ids, responseMask } = encodeRow(row, tokenizer, template);
  const document = new Int32Array(ids.length + 1);
  if (!isInParts(row)) {
    document.set(ids);
    document[ids.length] = eosId;
    return document;
  }
  document.set(ids.map((id, i) => (responseMask[i] === 1 ? id : unlearned(id))));
  // They say themselves where they end.
  if (ids.at(-1) === eosId) return document.subarray(0, ids.length);
  document[ids.length] = responseMask.at(-1) === 1 ? eosId : unlearned(eosId);
  return document;
}

/** The tokens of a cache; those that are only read stand as `unlearned` has them. Reads from the file, whatever its size. Close it when done. */
export class TokenFile implements TokenSource {
  private readonly handle: number;
  private readonly width: 2 | 4;

  /** Throws `data.missingFile` where the file is absent or not of the length `info` says. */
  constructor(
    readonly file: string,
    readonly info: CacheInfo,
  ) {
    this.width = info.type === 'uint16' ? 2 : 4;
    try {
      this.handle = openFile(file, 'read');
    } catch (cause) {
      throw dataErrors.missingFile(file, cause);
    }
    const { size } = fstatSync(this.handle);
    if (size !== info.tokens * this.width) {
      closeSync(this.handle);
      throw dataErrors.missingFile(file, new Error(`it has ${size} bytes instead of ${info.tokens * this.width}`));
    }
  }

  get length(): number {
    return this.info.tokens;
  }

  /** A hash of all tokens. */
  get contents(): string {
    return this.info.sha256;
  }

  /** Whether some tokens stand as `unlearned` has them. */
  get masked(): boolean {
    return this.info.type === 'int32';
  }

  read(start: number, target: Int32Array): void {
    const ids = arrayOf(this.info.type, target.length);
    readSync(this.handle, ids, 0, ids.byteLength, start * this.width);
    target.set(ids);
  }

  close(): void {
    closeSync(this.handle);
  }
}

async function keyOf(request: CacheRequest): Promise<string> {
  const { source, tokenizer, eosId, template, read } = request;
  const hash = createHash('sha256');
  const settings =
    source.kind === 'jsonl'
      ? { columns: source.columns }
      : source.kind === 'workspace'
        ? { strict: source.strict }
        : {};
  const { skipBadRows = false, maxLineBytes } = read ?? {};
  hash.update(
    JSON.stringify([
      FORMAT,
      READING,
      source.kind,
      settings,
      tokenizer.fingerprint,
      eosId,
      template?.source,
      skipBadRows,
      maxLineBytes,
    ]),
  );
  const root = source.kind === 'workspace' ? source.root : '';
  for (const file of sourceFiles(source)) {
    request.signal?.throwIfAborted();
    // In a folder the names say what there is; a single file is its contents wherever it lies.
    hash.update(`\0${root === '' ? '' : relative(root, file)}\0`);
    const contents = createHash('sha256');
    for await (const chunk of storedBytes(file)) contents.update(chunk);
    hash.update(contents.digest());
  }
  return hash.digest('hex').slice(0, 32);
}

async function openCached(folder: string, key: string): Promise<TokenFile | undefined> {
  try {
    const info = cacheInfo.parse(JSON.parse(readText(join(folder, `${key}.json`), limits.note)));
    const tokens = join(folder, `${key}.bin`);
    if (info.key !== key || (await contentOf(tokens)).sha256 !== info.sha256) return undefined;
    return new TokenFile(tokens, info);
  } catch {
    // Absent, damaged or of another format: made anew.
    return undefined;
  }
}

/**
 * The tokens of a data set, from the cache or freshly made.
 * Throws what `readRows` and the encoding throw, `data.cacheNotWritable`, and the signal's reason.
 */
export async function cachedTokens(request: CacheRequest): Promise<TokenFile> {
  const { folder, tokenizer } = request;
  needPlace(folder);
  const key = await keyOf(request);
  const cached = await openCached(folder, key);
  if (cached !== undefined) return cached;

  let type: CacheInfo['type'] = tokenizer.vocabSize <= 0x10000 ? 'uint16' : 'uint32';
  const mine = join(folder, `${key}.${randomUUID()}`);
  const report = new RowReport();
  let tokens = 0;
  const sum = createHash('sha256');
  let plain = 0;
  const write = async (file: string, fill: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>) => {
    const handle = await open(file, 'w').catch((cause: unknown) => {
      throw dataErrors.cacheNotWritable(folder, cause);
    });
    try {
      await fill((bytes) =>
        handle.writeFile(bytes).catch((cause: unknown) => {
          throw dataErrors.cacheNotWritable(folder, cause);
        }),
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
  try {
    makeFolder(folder);
  } catch (cause) {
    throw dataErrors.cacheNotWritable(folder, cause);
  }
  try {
    await write(`${mine}.bin`, async (append) => {
      const appendTokens = async (bytes: Uint8Array) => {
        sum.update(bytes);
        await append(bytes);
      };
      let waiting: Uint8Array[] = [];
      let size = 0;
      for await (const row of readRows(request.source, { ...request.read, report })) {
        request.signal?.throwIfAborted();
        // All rows of a file have one shape.
        if (isInParts(row)) type = 'int32';
        let ids: Int32Array;
        try {
          ids = documentOf(row, tokenizer, request);
        } catch (error) {
          if (request.read?.skipBadRows !== true) throw error;
          report.drop(error);
          continue;
        }
        if (row.kind === 'chat' && request.template === undefined) plain++;
        const stored = arrayOf(type, ids.length);
        stored.set(ids);
        tokens += stored.length;
        waiting.push(new Uint8Array(stored.buffer));
        size += stored.byteLength;
        if (size < WRITE_BYTES) continue;
        await appendTokens(Buffer.concat(waiting));
        waiting = [];
        size = 0;
        request.onProgress?.(tokens);
      }
      await appendTokens(Buffer.concat(waiting));
      request.onProgress?.(tokens);
    });
    const info: CacheInfo = {
      format: FORMAT,
      key,
      type,
      tokens,
      sha256: sum.digest('hex'),
      documents: report.used,
      plain,
      skipped: Object.fromEntries(report.skipped),
      examples: Object.fromEntries(report.examples),
    };
    await write(`${mine}.json`, (append) => append(Buffer.from(`${JSON.stringify(info)}\n`)));
    await rename(`${mine}.bin`, join(folder, `${key}.bin`));
    await rename(`${mine}.json`, join(folder, `${key}.json`));
    return new TokenFile(join(folder, `${key}.bin`), info);
  } finally {
    await rm(`${mine}.bin`, { force: true });
    await rm(`${mine}.json`, { force: true });
  }
}
