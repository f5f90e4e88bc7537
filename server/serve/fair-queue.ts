/** A queue in which clients take turns: one that asks for much does not keep the others waiting. */
export class FairQueue<T> {
  private readonly lines = new Map<string, T[]>();

  get length(): number {
    let count = 0;
    for (const line of this.lines.values()) count += line.length;
    return count;
  }

  push(client: string, item: T): void {
    const line = this.lines.get(client);
    if (line === undefined) this.lines.set(client, [item]);
    else line.push(item);
  }

  /** The oldest item of the client who has waited longest for a turn. */
  shift(): T | undefined {
    for (const [client, line] of this.lines) {
      const item = line.shift();
      this.lines.delete(client);
      // Behind all others, who come first now.
      if (line.length > 0) this.lines.set(client, line);
      if (item !== undefined) return item;
    }
    return undefined;
  }

  /** Takes out what is not wanted any more. */
  drop(unwanted: (item: T) => boolean): T[] {
    const dropped: T[] = [];
    for (const [client, line] of this.lines) {
      const kept = line.filter((item) => !unwanted(item));
      dropped.push(...line.filter(unwanted));
      if (kept.length > 0) this.lines.set(client, kept);
      else this.lines.delete(client);
    }
    return dropped;
  }
}
