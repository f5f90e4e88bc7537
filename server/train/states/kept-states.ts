/**
 * Hidden states of training rows that the frozen base makes once: they are kept on the disk, and epochs after the first, later
 * stages over the same rows and a run that goes on read them there. The same idea as in rollouts, which keep h in memory
 * (docs/decisions/rollouts-keep-h.md): the base does not change, so they are what a second reading would give.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { exists, removeFolder } from '../../files/atomic.ts';
import { hiddenStates } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { PackedData } from '../data.ts';
import { CrossingMemory } from '../optimizer/chain.ts';
import { StepProgram } from '../optimizer/step-program.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import { StatesFile, statesBytes } from './states-file.ts';

/** Where a run keeps hidden states. */
export interface StatesPlace {
  readonly folder: string;
  /** What the run is made from: its model and its spec. Whoever changes the base takes away what is kept. */
  readonly origin: string;
}

/** Where in a run's folder they are, as long as it is not over. */
export const statesFolder = 'states';

/** Removes what a run has kept. @param run its folder @throws store.cannotWrite */
export async function forgetStates(run: string): Promise<void> {
  const folder = join(run, statesFolder);
  if (await exists(folder)) await removeFolder(folder);
}

/** Raised where the same rows would get other numbers. */
const format = 1;

export class KeptStates {
  private reading: StepProgram | undefined;

  private constructor(
    private readonly context: StageContext,
    private readonly file: StatesFile,
    private readonly shape: { readonly rows: number; readonly length: number },
  ) {}

  /**
   * @param shape of a micro-batch
   * @param used rows that the stage reads in all, each time they are read
   * @throws train.noDisk, store.cannotWrite
   */
  static async open(
    context: StageContext,
    data: Pick<PackedData, 'tokens' | 'contents'>,
    shape: { readonly rows: number; readonly length: number },
    used: number,
  ): Promise<KeptStates> {
    const { states: place, device, base, say } = context;
    if (place === undefined) throw new Error('there is no place for hidden states');
    const { length } = shape;
    const rows = rowsIn(data.tokens, length);
    // Devices round differently, and the states are to be those that a step would have made.
    const name = createHash('sha256')
      .update(JSON.stringify([format, place.origin, device.name, data.contents, data.tokens, length]))
      .digest('hex')
      .slice(0, 32);
    const width = length * base.config.hiddenSize;
    const kept = Math.min(rows, used);
    const file = await StatesFile.open(place.folder, name, { rows, used: kept, width });
    say(
      `hidden states of ${kept} rows are kept on the disk while the run is not over: ${megabytes(statesBytes(kept, width))}`,
    );
    return new KeptStates(context, file, shape);
  }

  /**
   * A micro-batch with its hidden states, `hidden` `[B,T,d]`. Where all are kept the base is not run.
   *
   * @param feeds with `ids` int32 `[B,T]`
   * @param windows number of each row in the data
   */
  async of(feeds: Feeds, windows: readonly number[]): Promise<Feeds> {
    const { file, context, shape } = this;
    const width = shape.length * context.base.config.hiddenSize;
    const hidden = new Float32Array(windows.length * width);
    const of = (all: Float32Array, b: number) => all.subarray(b * width, (b + 1) * width);
    const missing = windows.flatMap((row, b) => (file.read(row, of(hidden, b)) ? [] : [{ row, b }]));
    if (missing.length === 0) return { ...feeds, hidden };
    const made = await this.read(feeds);
    for (const { row, b } of missing) {
      of(hidden, b).set(of(made, b));
      await file.write(row, of(made, b));
    }
    return { ...feeds, hidden };
  }

  /** Runs the base. */
  private async read({ ids }: Feeds): Promise<Float32Array> {
    const { context } = this;
    this.reading ??= this.program();
    const { h } = await this.reading.run({ ids }, { states: [context.weights.state] });
    const states = await h.readFloats();
    h.release();
    return states;
  }

  /** As a step of training, it gives way to others. */
  private program(): StepProgram {
    const { context, shape } = this;
    const { device, base } = context;
    const { rows, length } = shape;
    const graph = device.graph();
    const ids = graph.input('ids', 'int32', [rows, length]);
    const { h } = hiddenStates(graph, base.config, ids, causalContext(graph, base.config, rows, length));
    const outputs = { outputs: { h }, carried: [], into: [], metricNames: [] };
    return new StepProgram(device, outputs, new CrossingMemory(), context);
  }

  async close(): Promise<void> {
    this.file.close();
    await this.reading?.dispose();
  }
}

/** Rows of T tokens in so many tokens, each with the one behind it. */
export const rowsIn = (tokens: number, length: number): number => Math.floor((tokens - 1) / length);

const megabytes = (bytes: number) =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
