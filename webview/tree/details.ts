/** What stands on cards, asked for when a card comes into view and kept until it changes. */
import { type TreeNode, treeNodes } from '../../server/protocol/index.ts';
import { ask } from '../ui/host.ts';

const most = 500;

export class NodeDetails {
  private readonly known = new Map<number, TreeNode>();
  private readonly stale = new Set<number>();
  private readonly asked = new Set<number>();
  private wanted = new Set<number>();
  private scheduled = false;
  private generation = 0;

  /**
   * @param arrived is called when there is something new to show
   * @param between stands between the texts of nodes that share a card
   */
  constructor(
    private readonly arrived: () => void,
    private readonly between: string,
  ) {}

  /** Asks for it where it is not known; returns what is known meanwhile. */
  get(id: number): TreeNode | undefined {
    if ((!this.known.has(id) || this.stale.has(id)) && !this.asked.has(id)) {
      this.wanted.add(id);
      if (!this.scheduled) {
        this.scheduled = true;
        setTimeout(() => this.send(), 16);
      }
    }
    return this.known.get(id);
  }

  /** The text of nodes that share a card, as far as it is known. */
  textOf(chain: readonly number[]): string {
    return chain.map((node) => this.get(node)?.text ?? '').join(this.between);
  }

  /** Settles when all that can be known of them is known. */
  async load(ids: readonly number[]): Promise<void> {
    for (let start = 0; start < ids.length; start += most) {
      const { nodes } = await ask(treeNodes, { ids: ids.slice(start, start + most) });
      for (const node of nodes) this.known.set(node.id, node);
    }
  }

  /** They are other than they were; they are asked for again when they are shown. */
  expire(ids: Iterable<number>): void {
    for (const id of ids) {
      // An answer that is under way may be of before.
      this.asked.delete(id);
      this.stale.add(id);
    }
  }

  /** All of it may be other than it was. */
  expireAll(): void {
    this.generation++;
    this.asked.clear();
    this.expire(this.known.keys());
  }

  private async send(): Promise<void> {
    this.scheduled = false;
    const ids = [...this.wanted].slice(0, most);
    this.wanted = new Set([...this.wanted].slice(most));
    const { generation } = this;
    for (const id of ids) {
      this.asked.add(id);
      this.stale.delete(id);
    }
    try {
      const { nodes } = await ask(treeNodes, { ids });
      if (generation !== this.generation) return;
      for (const node of nodes) this.known.set(node.id, node);
    } catch {
      // Shown without its text; it is asked for again when it comes into view the next time.
      if (generation !== this.generation) return;
    }
    for (const id of ids) this.asked.delete(id);
    this.arrived();
    if (this.wanted.size > 0) await this.send();
  }
}
