/** Asks the engine what is new in the tree, until nothing is. */
import { treeGrowth } from '../../server/protocol/index.ts';
import { ask } from '../ui/host.ts';
import { TreeModel } from './model.ts';

export interface GrowthHandlers {
  /**
   * There is more of the model, or another one.
   *
   * @param simulated nodes at which the new simulations ended, the latest last
   * @param anew whether the tree was told from its beginning
   */
  grew(simulated: readonly number[], anew: boolean): void;
  /** All that there is has been told. */
  complete(): void;
  failed(error: unknown): void;
}

export class GrowthFeed {
  model: TreeModel;
  private fetching = false;
  private again = false;
  /** Whether what was counted has changed, so that the tree is to be told from its beginning. */
  private outdated = false;
  private closed = false;

  /** @param gamma discount for each edge */
  constructor(
    private readonly gamma: number,
    private readonly handlers: GrowthHandlers,
  ) {
    this.model = new TreeModel(gamma);
  }

  /** Asks for what is new, until there is nothing new. */
  fetch(): void {
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    void this.follow()
      .catch((error: unknown) => this.handlers.failed(error))
      .finally(() => {
        this.fetching = false;
      });
  }

  /** Everything anew, after a person changed what was counted. */
  reload(): void {
    this.outdated = true;
    this.fetch();
  }

  close(): void {
    this.closed = true;
  }

  private async follow(): Promise<void> {
    do {
      this.again = false;
      await this.grow();
    } while (this.again && !this.closed);
  }

  private async grow(): Promise<void> {
    const renewed = this.outdated;
    this.outdated = false;
    const model = renewed ? new TreeModel(this.gamma) : this.model;
    for (;;) {
      const told = await ask(treeGrowth, { nodes: model.count, simulations: model.simulations }).catch((error) => {
        // What was to be told anew is still to be told.
        this.outdated ||= renewed;
        throw error;
      });
      if (this.outdated || this.closed) {
        this.again = true;
        return;
      }
      model.append(told);
      const complete = model.count >= told.count && model.simulations >= told.simulations;
      // What is shown stays until all of the new is there: in between there would be nodes that are known no more.
      if (renewed && !complete) continue;
      this.model = model;
      this.handlers.grew(told.simulated.node, renewed);
      if (complete) break;
    }
    this.handlers.complete();
  }
}
