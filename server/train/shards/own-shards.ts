/** All shards one after the other in one process: that of the run, or of a worker who has some of them. */
import type { Asked, Payload, Shards, ShardWork, Summed } from './shards.ts';
import { TreeSum } from './tree-sum.ts';

/** Adds up what a part comes to in some shards. */
export class ShardSums {
  private tree: TreeSum | undefined;

  constructor(private readonly work: ShardWork) {}

  /** @param items leaves of a node of the tree, in order */
  async of(
    round: number,
    part: unknown,
    items: readonly { readonly shard: number; readonly share: number }[],
  ): Promise<Summed> {
    const values: { shard: number; value: unknown }[] = [];
    let summed = false;
    for (const [i, { shard, share }] of items.entries()) {
      const { value, gradients } = await this.work.part(round, shard, part);
      values.push({ shard, value });
      if (gradients.length === 0) continue;
      this.tree ??= new TreeSum(gradients.map(({ length }) => length));
      if (!summed) this.tree.begin(items.length);
      summed = true;
      this.tree.leaf(i, share, gradients);
    }
    return { values, gradients: summed ? (this.tree?.whole.arrays ?? []) : [], release: () => {} };
  }
}

export class OwnShards implements Shards {
  private readonly sums: ShardSums;

  constructor(private readonly work: ShardWork) {
    this.sums = new ShardSums(work);
  }

  async begin<T>(
    round: number,
    inputs: readonly Payload[],
    read: (value: unknown, shard: number) => T,
    signal: AbortSignal,
  ): Promise<T[]> {
    const found: T[] = [];
    for (const [shard, input] of inputs.entries())
      found.push(read(await this.work.begin(round, shard, input, signal), shard));
    return found;
  }

  sum({ round, part, shares }: Asked): Promise<Summed> {
    const items = shares.flatMap((share, shard) => (share === 0 ? [] : [{ shard, share }]));
    return this.sums.of(round, part, items);
  }

  learned(): void {}

  figures(): Record<string, never> {
    return {};
  }

  close(): Promise<void> {
    return this.work.dispose();
  }
}
