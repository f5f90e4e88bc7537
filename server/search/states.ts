/** The model's states at the nodes of a tree. */
import type { Look, Outlook, SearchModel } from './model.ts';
import type { Spent } from './options.ts';
import type { SearchTree } from './tree.ts';

export class NodeStates<S> {
  private readonly known = new Map<number, S>();

  constructor(
    readonly model: SearchModel<S>,
    private readonly tree: SearchTree,
    private readonly prompt: readonly number[],
    /** Its `tokens` go up with every run. */
    private readonly spent: Spent,
  ) {}

  /** The state of a node: known, or rebuilt from the nearest ancestor whose state is. */
  of(node: number): S {
    const missing: number[] = [];
    let at = node;
    while (at > 0 && !this.known.has(at)) {
      missing.push(at);
      at = this.tree.parent[at];
    }
    let state = this.known.get(at) ?? this.model.open(this.prompt);
    this.known.set(at, state);
    for (const below of missing.reverse()) {
      for (const token of this.tree.edgeTokens(below)) state = this.model.child(state, token);
      this.known.set(below, state);
    }
    return state;
  }

  readonly look: Look<S> = async (states) => {
    const { outlooks, generated } = await this.model.look(states);
    this.spent.tokens += generated;
    return outlooks;
  };

  /** What lies ahead of each node; V is noted in the tree. */
  async ahead(nodes: readonly number[]): Promise<readonly Outlook[]> {
    const outlooks = await this.look(nodes.map((node) => this.of(node)));
    for (const [i, node] of nodes.entries()) this.note(node, outlooks[i]);
    return outlooks;
  }

  note(node: number, outlook: Outlook): void {
    if (outlook.value !== undefined) this.tree.value[node] = outlook.value;
  }
}
