/** Nodes that answer what is searched for in the text, and at which of them the person is. */
import { treeFind } from '../../server/protocol/index.ts';
import { ask } from '../ui/host.ts';

export interface MatchHandlers {
  /** Nothing is searched for, or nothing was found. */
  none(): void;
  /** The person is at a match. */
  at(node: number): void;
  /** @param count undefined while nothing is searched for */
  count(at: number, count: number | undefined): void;
  failed(error: unknown): void;
}

export class Matches {
  nodes: readonly number[] = [];
  private at = 0;
  private searches = 0;

  constructor(private readonly handlers: MatchHandlers) {}

  async find(text: string): Promise<void> {
    const order = ++this.searches;
    if (text === '') {
      this.show([], undefined);
      return;
    }
    try {
      const { nodes } = await ask(treeFind, { text });
      if (order === this.searches) this.show(nodes, nodes.length);
    } catch (error) {
      this.handlers.failed(error);
    }
  }

  next(): void {
    this.goTo(this.at + 1);
  }

  private show(nodes: readonly number[], count: number | undefined): void {
    this.nodes = nodes;
    if (nodes.length > 0) this.goTo(0);
    else {
      this.handlers.count(0, count);
      this.handlers.none();
    }
  }

  private goTo(at: number): void {
    const { length } = this.nodes;
    if (length === 0) return;
    this.at = at % length;
    this.handlers.count(this.at, length);
    this.handlers.at(this.nodes[this.at]);
  }
}
