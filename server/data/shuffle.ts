/** Rows in a random order that can be saved in the middle and continued exactly. */
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { Random } from '../random.ts';
import { dataErrors } from './errors.ts';
import { DEFAULT_LINE_LIMIT, isBlank, readLines } from './lines.ts';
import { parseObject, planFrom, planOf, rowFrom } from './row-reader.ts';
import { type Row, RowReport } from './rows.ts';
import type { ColumnMap, ColumnPlan } from './shapes.ts';
import type { ReadOptions } from './sources.ts';

/** Anything whose items can be had in any order. */
export interface RandomAccess<T> {
  readonly length: number;
  at(index: number): T | undefined | Promise<T | undefined>;
}

/** The order of 0..n-1 in one epoch. Every epoch of a seed has its own. */
export function epochOrder(seed: number, epoch: number, n: number): Uint32Array {
  return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)).permutation(n);
}

/** A JSON-lines file of which only the places of the lines are in memory (20 bytes a row). Close it when done. */
export class JsonlFile implements RandomAccess<Row> {
  private constructor(
    readonly file: string,
    private readonly handle: FileHandle,
    private readonly offsets: Float64Array,
    private readonly lengths: Float64Array,
    private readonly numbers: Uint32Array,
    private readonly plan: ColumnPlan,
    private readonly limit: number,
  ) {}

  /**
   * Reads the file once to find its lines, and its first usable row to know the columns.
   * Throws as `readRows` does for a file that is missing or has no row to begin with.
   */
  static async open(file: string, columns?: ColumnMap, options: ReadOptions = {}): Promise<JsonlFile> {
    const { skipBadRows = false, maxLineBytes = DEFAULT_LINE_LIMIT } = options;
    const report = new RowReport();
    let plan = columns === undefined ? undefined : planOf(columns);
    let count = 0;
    let offsets = new Float64Array(1024);
    let lengths = new Float64Array(1024);
    let numbers = new Uint32Array(1024);
    for await (const line of readLines(file, maxLineBytes)) {
      if (line.bytes !== undefined && isBlank(line.bytes)) continue;
      if (count === offsets.length) {
        offsets = grown(offsets, new Float64Array(2 * count));
        lengths = grown(lengths, new Float64Array(2 * count));
        numbers = grown(numbers, new Uint32Array(2 * count));
      }
      offsets[count] = line.offset;
      lengths[count] = line.length;
      numbers[count] = line.number;
      count++;
      if (plan !== undefined || line.bytes === undefined) continue;
      try {
        plan = planFrom(parseObject(line.bytes, file, line.number), file, line.number);
      } catch (error) {
        if (!skipBadRows) throw error;
        report.skip(error);
      }
    }
    if (count === 0) throw dataErrors.emptyFile(file);
    if (plan === undefined) throw dataErrors.noUsableRows(file, report.describe());
    let handle: FileHandle;
    try {
      handle = await open(file, 'r');
    } catch (cause) {
      throw dataErrors.missingFile(file, cause);
    }
    return new JsonlFile(
      file,
      handle,
      offsets.slice(0, count),
      lengths.slice(0, count),
      numbers.slice(0, count),
      plan,
      maxLineBytes,
    );
  }

  /** Number of lines that are not blank, usable or not. */
  get length(): number {
    return this.offsets.length;
  }

  /** The row on the `index`-th line that is not blank. Throws as `readRows` does for a row that cannot be used. */
  async at(index: number): Promise<Row> {
    const length = this.lengths[index];
    const number = this.numbers[index];
    if (length > this.limit) throw dataErrors.lineTooLong(this.file, number, this.limit, 'rows');
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.handle.read(bytes, 0, length, this.offsets[index]);
    return rowFrom(parseObject(bytes.subarray(0, bytesRead), this.file, number), this.plan, this.file, number);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

const count = z.int().min(0);
/** Where a {@link Shuffled} stands. `length` is the number of items, to notice when the data has changed. */
export const shuffleState = z.strictObject({ seed: z.int(), epoch: count, position: count, length: count });
export type ShuffleState = z.infer<typeof shuffleState>;

/** Endless items in random order: every item once an epoch, each epoch in another order. */
export class Shuffled<T> {
  private epoch = 0;
  private position = 0;
  private order: Uint32Array;

  constructor(
    private readonly items: RandomAccess<T>,
    private seed: number,
    private readonly options: ReadOptions = {},
  ) {
    this.order = epochOrder(seed, 0, items.length);
  }

  /** The next item. Throws what reading it throws; with `skipBadRows` only `data.noUsableRows`, after a whole round of them. */
  async next(): Promise<T> {
    const report = this.options.report ?? new RowReport();
    for (let tried = 0; tried < this.items.length; tried++) {
      if (this.position === this.order.length) {
        this.epoch++;
        this.position = 0;
        this.order = epochOrder(this.seed, this.epoch, this.items.length);
      }
      const index = this.order[this.position++];
      try {
        const item = await this.items.at(index);
        if (item === undefined) continue;
        report.used++;
        return item;
      } catch (error) {
        if (this.options.skipBadRows !== true) throw error;
        report.skip(error);
      }
    }
    throw dataErrors.noUsableRows('The data set', report.describe());
  }

  get state(): ShuffleState {
    return { seed: this.seed, epoch: this.epoch, position: this.position, length: this.items.length };
  }

  /** Continues from a saved state. Throws `data.staleState` if that was of other data. */
  restore(state: ShuffleState): void {
    if (state.length !== this.items.length || state.position > state.length) {
      throw dataErrors.staleState(`it was saved with ${state.length} rows and there are ${this.items.length}`);
    }
    this.seed = state.seed;
    this.epoch = state.epoch;
    this.position = state.position;
    this.order = epochOrder(state.seed, state.epoch, state.length);
  }
}
