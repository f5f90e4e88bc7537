/** All shards one after the other in this process. */
import type { Start } from '../starts.ts';
import type { GradientPart, ShardGradient, ShardOutcome, Shards } from './shard.ts';
import type { ShardWork } from './shard-work.ts';

export class OwnShards implements Shards {
  constructor(private readonly work: ShardWork) {}

  async rollouts(round: number, shards: readonly (readonly Start[])[], signal: AbortSignal): Promise<ShardOutcome[]> {
    const outcomes: ShardOutcome[] = [];
    for (const [shard, starts] of shards.entries())
      outcomes.push(await this.work.rollout(round, shard, starts, signal));
    return outcomes;
  }

  async gradients(
    part: GradientPart,
    shards: readonly number[],
    take: (shard: number, gradient: ShardGradient) => void,
  ): Promise<void> {
    for (const shard of shards) take(shard, await this.work.gradient(part, shard));
  }

  figures(): Record<string, never> {
    return {};
  }

  close(): Promise<void> {
    return this.work.dispose();
  }
}
