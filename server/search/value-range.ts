/** The least and the largest value of a search so far, by which means are scaled. */
import type { SimulationLog } from './simulations.ts';
import type { SearchTree } from './tree.ts';

export interface Range {
  readonly least: number;
  readonly most: number;
}

const none: Range = { least: Number.POSITIVE_INFINITY, most: Number.NEGATIVE_INFINITY };

/** Follows from the simulations and from what persons have scored, so a search that was saved goes on with it as it was. */
export class ValueRange {
  private known: Range | undefined;
  private counted = 0;

  constructor(
    private readonly tree: SearchTree,
    private readonly log: SimulationLog,
  ) {}

  /** Has to be called after a person has scored a node, for an earlier score may have gone. */
  forget(): void {
    this.known = undefined;
  }

  get(): Range {
    if (this.known === undefined) this.counted = 0;
    let { least, most } = this.known ?? this.ofScores();
    for (; this.counted < this.log.count; this.counted++) {
      const { value } = this.log.entries[this.counted];
      if (value === null) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    this.known = { least, most };
    return this.known;
  }

  private ofScores(): Range {
    let { least, most } = none;
    for (let id = 0; id < this.tree.count; id++) {
      const score = this.tree.score[id];
      if (Number.isNaN(score)) continue;
      least = Math.min(least, score);
      most = Math.max(most, score);
    }
    return { least, most };
  }
}
