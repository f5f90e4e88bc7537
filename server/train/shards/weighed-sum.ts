/** Parts of a round whose losses are means: each shard counts by what its own mean is over. */
import { z } from 'zod';
import { figure, type Shards } from './shards.ts';

const found = z.object({ loss: figure, metrics: z.record(z.string(), figure) });

export interface WeighedSum {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Lent until it is released. */
  readonly gradients: readonly Float32Array[];
  readonly release: () => void;
}

/**
 * @param weights of the shards; one with 0 has no part in it
 * @param zeros the gradient where none has
 */
export async function weighedSum(
  shards: Shards,
  round: number,
  part: unknown,
  weights: readonly number[],
  zeros: () => readonly Float32Array[],
): Promise<WeighedSum> {
  const whole = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map((weight) => (weight > 0 ? weight / whole : 0));
  const { values, gradients, release } = await shards.sum({ round, part, shares, gradients: true });
  let loss = 0;
  const metrics: Record<string, number> = {};
  for (const { shard, value } of values) {
    const own = found.parse(value);
    loss += shares[shard] * own.loss;
    for (const [name, each] of Object.entries(own.metrics)) metrics[name] = (metrics[name] ?? 0) + shares[shard] * each;
  }
  return { loss, metrics, gradients: values.length === 0 ? zeros() : gradients, release };
}
