/** How well a base model predicts a text: loss, perplexity and bits per byte, over windows of the context. */

import { holdsRows } from '../data/records.ts';
import { hasControlTokens, type PromptRow, type Row } from '../data/rows.ts';
import { readRows, type Source } from '../data/sources.ts';
import { encodeRow } from '../data/token-cache.ts';
import { type Device, widenFrom } from '../device/device.ts';
import type { State } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import { crossEntropy } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { Graph, type Tensor } from '../graph/tensor.ts';
import { hiddenStates, languageHead } from '../model/base.ts';
import { causalContext } from '../model/block.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat/chat.ts';
import type { ModelConfig } from '../model/config/config.ts';
import { type LanguageModel, uploadWeights } from '../model/language-model.ts';
import { type Memory, memoryAt, outputsMemory } from '../model/memory.ts';
import { modelErrors } from '../model/model-errors.ts';
import { noTokenizer } from '../model/tokenizer/no-tokenizer.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { Precision } from '../protocol/precision.ts';

/** Logits that one run may hold, in numbers: batches are cut so that a large vocabulary does not fill the memory. */
const logitBudget = 1 << 26;
const largestBatch = 16;
const shortestWindow = 16;
/** Rows of a product from which a program reads weights in fewer bits where they are, whatever they are kept in. */
const fewestRows = Math.max(...Object.values(widenFrom));

/** Tokens with those of them that are predicted. */
export interface ScoredSequence {
  readonly ids: ArrayLike<number>;
  /** 1 for a token that counts, as long as `ids`. All but the first, if not given; the first has nothing before it. */
  readonly counts?: ArrayLike<number>;
}

export interface ScoreOptions {
  /** Longest window in tokens; the model's context, if not given. */
  readonly length?: number;
  /**
   * How far a window moves, in tokens: with `length` 512 and `stride` 128 every token but the first has at least 384 before
   * it. Without it windows do not overlap, and the first tokens of each have little before them.
   */
  readonly stride?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (tokens: number) => void;
}

export interface Score {
  /** Sequences that were read. */
  readonly sequences: number;
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** UTF-8 bytes of those tokens; 0 for a model without a tokenizer. */
  readonly bytes: number;
  /** Nats a token. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** Bits a byte of text, which compares models of different tokenizers; undefined without a tokenizer. */
  readonly bitsPerByte: number | undefined;
}

/** Part of a sequence: tokens `start` to `end`, of which those from `first` on are predicted. */
interface Window {
  readonly start: number;
  readonly end: number;
  readonly first: number;
}

/** Windows in which every token but the first is predicted once. */
export function windowsOf(tokens: number, length: number, stride: number): Window[] {
  const windows: Window[] = [];
  let first = 1;
  for (let start = 0; first < tokens; start += stride) {
    const end = Math.min(start + length, tokens);
    windows.push({ start, end, first });
    first = end;
  }
  return windows;
}

interface Piece {
  readonly ids: Int32Array;
  readonly counts: Float32Array;
}

/** Windows of so many tokens that are read at once. */
export function windowBatch({ vocabSize }: ModelConfig, length: number): number {
  return Math.max(1, Math.min(largestBatch, Math.floor(logitBudget / (length * vocabSize))));
}

/** What a program computes: the losses `[B,T]` of tokens that count. */
function lossesOf(graph: Graph, config: ModelConfig, batch: number, length: number): { losses: Tensor } {
  const ids = graph.input('ids', 'int32', [batch, length]);
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, batch, length));
  const losses = crossEntropy(languageHead(graph, config, h), graph.input('targets', 'int32', [batch, length]));
  return { losses: ops.mul(losses, graph.input('counts', 'float32', [batch, length])) };
}

/** Reading a text in windows of `length` tokens. */
export function scoreMemory(config: ModelConfig, length: number, precision: Precision): Memory {
  return memoryAt(windowBatch(config, length), length, (batch, tokens) =>
    outputsMemory(config, Object.values(lossesOf(new Graph(), config, batch, tokens)), precision),
  );
}

class Scorer {
  private readonly programs = new ProgramCache<string>();
  private readonly waiting = new Map<number, Piece[]>();
  nats = 0;
  done = 0;

  constructor(
    private readonly device: Device,
    private readonly config: ModelConfig,
    private readonly weights: State,
    private readonly longest: number,
  ) {}

  /** Takes a piece into a batch of pieces of about its length, and runs that when it is full. */
  async add(piece: Piece): Promise<void> {
    let length = shortestWindow;
    while (length < piece.ids.length) length *= 2;
    length = Math.min(length, this.longest);
    const queue = this.waiting.get(length) ?? [];
    this.waiting.set(length, queue);
    queue.push(piece);
    const batch = windowBatch(this.config, length);
    if (queue.length === batch) await this.run(length, batch, queue.splice(0));
  }

  /** Runs what is left, in batches no larger than it needs. */
  async finish(): Promise<void> {
    for (const [length, queue] of this.waiting) {
      if (queue.length === 0) continue;
      const enough = Math.max(2 ** Math.ceil(Math.log2(queue.length)), Math.ceil(fewestRows / length));
      // Of a large model one program takes gigabytes, and those of other windows have done their work.
      await this.programs.dispose();
      await this.run(length, Math.min(enough, windowBatch(this.config, length)), queue.splice(0));
    }
  }

  private async run(length: number, batch: number, pieces: readonly Piece[]): Promise<void> {
    const ids = new Int32Array(batch * length);
    const targets = new Int32Array(batch * length);
    const counts = new Float32Array(batch * length);
    for (const [b, piece] of pieces.entries()) {
      ids.set(piece.ids, b * length);
      targets.set(piece.ids.subarray(1), b * length);
      counts.set(piece.counts.subarray(1), b * length);
    }
    const program = await this.programs.get(`${batch} x ${length}`, () =>
      this.device.program((graph) => lossesOf(graph, this.config, batch, length)),
    );
    const { losses } = await program.run({ ids, targets, counts }, { states: [this.weights] });
    // Summed in float64: a long file has millions of terms.
    for (const value of await losses.readFloats()) this.nats += value;
    losses.release();
    for (const value of counts) this.done += value;
  }

  async dispose(): Promise<void> {
    await this.programs.dispose();
    this.weights.dispose();
  }
}

/**
 * Mean loss over all tokens that count.
 *
 * @throws model.idOutOfRange, model.nothingToScore, model.windowTooLong; the signal's reason when it is aborted
 */
export async function scoreSequences(
  device: Device,
  model: LanguageModel,
  sequences: Iterable<ScoredSequence> | AsyncIterable<ScoredSequence>,
  options: ScoreOptions = {},
): Promise<Score> {
  const { config, tokenizer } = model;
  const length = options.length ?? config.maxPositionEmbeddings;
  if (length < 2 || length > config.maxPositionEmbeddings)
    throw modelErrors.windowTooLong(length, config.maxPositionEmbeddings);
  // Without overlap: each window begins with the last token of the one before, which it predicts nothing for.
  const stride = Math.min(options.stride ?? length - 1, length - 1);
  const weights = await uploadWeights(device, model.weights, model.plainTensors);
  const scorer = new Scorer(model.on(device, true), config, weights, length);
  let count = 0;
  let tokens = 0;
  let bytes = 0;
  try {
    for await (const sequence of sequences) {
      count++;
      const ids = checkedIds(sequence.ids, config.vocabSize);
      const counts = countsOf(sequence, ids.length);
      for (let i = 0; i < ids.length; i++) {
        tokens += counts[i];
        if (counts[i] > 0 && tokenizer !== undefined) bytes += tokenizer.tokenBytes(ids[i]).length;
      }
      for (const { start, end, first } of windowsOf(ids.length, length, stride)) {
        options.signal?.throwIfAborted();
        const part = counts.slice(start, end).fill(0, 0, first - start);
        if (part.some((value) => value > 0)) await scorer.add({ ids: ids.subarray(start, end), counts: part });
        options.onProgress?.(scorer.done);
      }
    }
    await scorer.finish();
  } finally {
    await scorer.dispose();
  }
  if (tokens === 0) throw modelErrors.nothingToScore();
  const loss = scorer.nats / tokens;
  const bitsPerByte = bytes === 0 ? undefined : scorer.nats / Math.LN2 / bytes;
  return { sequences: count, tokens, bytes, loss, perplexity: Math.exp(loss), bitsPerByte };
}

/**
 * {@link scoreSequences} for a file: rows where its name says so (JSON, CSV, Parquet), plain text otherwise. Of rows with prompt and
 * response only the response counts, of conversations only the answers.
 *
 * @throws data.*, chat.*, model.noTokenizer, and as scoreSequences
 */
export async function scoreFile(
  device: Device,
  model: LanguageModel,
  file: string,
  options: ScoreOptions = {},
): Promise<Score> {
  const { tokenizer } = model;
  if (tokenizer === undefined) throw noTokenizer(model.folder);
  const source: Source = holdsRows(file) ? { kind: 'jsonl', file } : { kind: 'text', files: [file] };
  let template: ChatTemplate | undefined;
  const sequence = (row: Row): ScoredSequence => {
    switch (row.kind) {
      case 'text':
        if (row.parts !== undefined) {
          const { ids, responseMask } = encodeRow(row, tokenizer);
          return { ids, counts: responseMask };
        }
        return { ids: tokenizer.encode(row.text, { controlTokens: hasControlTokens(row) }) };
      case 'prompt':
        return promptSequence(tokenizer, row);
      case 'chat': {
        template ??= loadChatTemplate(model.folder);
        const { ids, responseMask } = template.encode(row.messages, tokenizer);
        return { ids, counts: responseMask };
      }
    }
  };
  async function* sequences(): AsyncGenerator<ScoredSequence> {
    for await (const row of readRows(source)) yield sequence(row);
  }
  return scoreSequences(device, model, sequences(), options);
}

function promptSequence(tokenizer: Tokenizer, row: PromptRow): ScoredSequence {
  const controlTokens = hasControlTokens(row);
  const before = tokenizer.encode(row.prompt, { controlTokens });
  if (row.response === undefined) return { ids: before };
  // Encoded apart, as in training and decoding: the answer starts with a token of its own.
  const after = tokenizer.encode(row.response, { addSpecialTokens: false, controlTokens });
  const counts = new Uint8Array(before.length + after.length).fill(1, before.length);
  return { ids: Int32Array.from([...before, ...after]), counts };
}

function checkedIds(ids: ArrayLike<number>, vocabSize: number): Int32Array {
  const checked = Int32Array.from(ids);
  for (let i = 0; i < ids.length; i++) {
    if (!Number.isInteger(ids[i]) || ids[i] < 0 || ids[i] >= vocabSize)
      throw modelErrors.idOutOfRange(ids[i], vocabSize);
  }
  return checked;
}

function countsOf({ counts }: ScoredSequence, length: number): Float32Array {
  const all = counts === undefined ? new Float32Array(length).fill(1) : Float32Array.from(counts);
  if (length > 0) all[0] = 0;
  return all;
}
