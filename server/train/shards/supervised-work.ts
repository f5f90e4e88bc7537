/** A step of a plain loss in shards: micro-batches go to whoever computes them, their gradients come back. */
import { z } from 'zod';
import type { Graph } from '../../graph/tensor.ts';
import type { Checkpointing } from '../../spec/settings/parts.ts';
import { Gradients } from '../optimizer/gradients.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { recomputes } from '../run/recompute.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import { RoundMemory } from './round-memory.ts';
import { figure, type HirePlan, type PartResult, type Payload, type ShardWork } from './shards.ts';

/** What the loss of a micro-batch depends on beside the settings of its stage. */
export const batchShape = z.object({
  rows: z.int().positive(),
  length: z.int().positive(),
  /** Whether some tokens are not learned. */
  masked: z.boolean().default(false),
  /** Of a stage that has several parts. */
  part: z.int().nonnegative().default(0),
});
export type BatchShape = z.infer<typeof batchShape>;

/** What a step learns. */
export interface Learning {
  readonly trained: readonly string[];
  readonly checkpoint?: Checkpointing | undefined;
  /** The loss of a micro-batch. */
  objective(graph: Graph): Objective;
}

const kinds = z.array(z.array(z.tuple([z.string(), z.enum(['float32', 'int32'])])));

/** Micro-batches as they are sent: numbers by their bits. */
export function packedFeeds(batches: readonly Feeds[]): Payload {
  const arrays: Float32Array[] = [];
  const value = batches.map((feeds) =>
    Object.entries(feeds).map(([name, values]) => {
      if (values instanceof BigInt64Array) throw new Error(`the feed ${name} cannot be sent`);
      arrays.push(new Float32Array(values.buffer, values.byteOffset, values.length));
      return [name, values instanceof Int32Array ? 'int32' : 'float32'];
    }),
  );
  return { value, arrays };
}

function feedsIn({ value, arrays }: Payload): Feeds[] {
  let next = 0;
  return kinds.parse(value).map((names) =>
    Object.fromEntries(
      names.map(([name, kind]) => {
        const array = arrays[next++];
        // Of its own: the memory of a message is lent.
        const { buffer } = array.slice();
        return [name, kind === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer)];
      }),
    ),
  );
}

const found = z.object({
  loss: figure,
  metrics: z.record(z.string(), z.object({ whole: z.boolean(), values: z.array(figure) })),
});

/** Loss and outputs of the micro-batches of a shard. */
export const batchResults = (value: unknown) =>
  z
    .array(found)
    .parse(value)
    .map(({ loss, metrics }) => ({
      loss,
      metrics: Object.fromEntries(
        Object.entries(metrics).map(([name, { whole, values }]) => [
          name,
          whole ? Int32Array.from(values) : Float32Array.from(values),
        ]),
      ),
    }));

export class SupervisedWork implements ShardWork {
  readonly sent: readonly string[];
  private readonly gradients: Gradients;
  private readonly kept = new RoundMemory<readonly Feeds[]>();
  private sums: readonly Float32Array[] = [];

  constructor(
    private readonly context: StageContext,
    private readonly learning: Learning,
  ) {
    const { device, weights } = context;
    this.sent = learning.trained;
    this.gradients = new Gradients(device, learning.trained, weights.state, context);
  }

  async begin(round: number, shard: number, input: Payload): Promise<null> {
    this.kept.begin(round);
    this.kept.keep(shard, feedsIn(input));
    return null;
  }

  async part(round: number, shard: number): Promise<PartResult> {
    const batches = this.kept.of(round, shard);
    const { context, learning } = this;
    const build = (graph: Graph) => learning.objective(graph);
    const value: unknown[] = [];
    for (const [i, feeds] of batches.entries()) {
      await context.turn?.();
      const result = await this.gradients.of(feeds, '', () => {
        const recompute = recomputes(learning.checkpoint, context.device, learning.trained, batches.length, build);
        return build(context.device.graph({ recompute }));
      });
      const metrics = Object.entries(result.metrics).map(([name, values]) => {
        return [name, { whole: values instanceof Int32Array, values: [...values] }] as const;
      });
      value.push({ loss: result.loss, metrics: Object.fromEntries(metrics) });
      if (batches.length === 1) return { value, gradients: result.gradients };
      this.add(result.gradients, i === 0);
    }
    return { value, gradients: this.sums };
  }

  private add(gradients: readonly Float32Array[], first: boolean): void {
    if (this.sums.length === 0) this.sums = gradients.map(({ length }) => new Float32Array(length));
    for (const [k, values] of gradients.entries()) {
      const sum = this.sums[k];
      if (first) sum.set(values);
      else for (let j = 0; j < sum.length; j++) sum[j] += values[j];
    }
  }

  dispose(): Promise<void> {
    this.kept.clear();
    return this.gradients.dispose();
  }
}

/** What a worker makes of a stage whose loss follows from its settings and the shape of its batches. */
export const hireFor =
  <S>(learning: (settings: S, context: StageContext, shape: BatchShape) => Learning) =>
  async (settings: S, context: StageContext, { detail }: HirePlan): Promise<ShardWork> =>
    new SupervisedWork(context, learning(settings, context, batchShape.parse(detail)));
