/** What is kept of the shards of a round between their beginning and their last gradient. */
export class RoundMemory<T> {
  private round = -1;
  private readonly kept = new Map<number, T>();

  /** Forgets what is of another round. */
  begin(round: number): void {
    if (round !== this.round) this.kept.clear();
    this.round = round;
  }

  keep(shard: number, value: T): void {
    this.kept.set(shard, value);
  }

  /** @throws Error where nothing is kept of it: whoever asks has mixed up rounds or shards */
  of(round: number, shard: number): T {
    const value = this.kept.get(shard);
    if (value === undefined || round !== this.round)
      throw new Error(`nothing is kept of shard ${shard} of round ${round}`);
    return value;
  }

  clear(): void {
    this.kept.clear();
  }
}
