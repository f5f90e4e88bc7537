/** What a person does to the search and takes from it, at the node that is selected. */
import {
  treeCopy,
  treeDraftNew,
  treeExport,
  treeExtend,
  treeForce,
  treeInsert,
  treeInspect,
  treeMark,
  treePause,
  treeRead,
  treeScore,
  treeTune,
} from '../../server/protocol/index.ts';
import { ask } from '../ui/host.ts';

export interface SteeringHandlers {
  selected(): number;
  /** There is a node that the person made, and wants to see. */
  made(node: number): void;
  /** What was counted has changed: everything is to be told anew. */
  changed(): void;
  failed(error: unknown): void;
}

export class Steering {
  constructor(private readonly handlers: SteeringHandlers) {}

  /** @returns whether the search goes on */
  async extend(simulations: number): Promise<boolean> {
    return this.attempt(() => ask(treeExtend, { simulations }));
  }

  pause(): void {
    void this.attempt(() => ask(treePause, {}));
  }

  /** Another search, with this one's prompt to begin with. */
  begin(): void {
    void this.attempt(() => ask(treeDraftNew, {}));
  }

  force(action: number): void {
    void this.attempt(async () => {
      const { node } = await ask(treeForce, { node: this.node, action });
      this.handlers.made(node);
      this.handlers.changed();
    });
  }

  /** What was not tried has no node yet; it gets one, to be banned. */
  banAction(action: number): void {
    const { node: parent } = this;
    void this.attempt(async () => {
      const { node } = await ask(treeForce, { node: parent, action });
      await ask(treeMark, { node, mark: 'ban' });
      this.handlers.changed();
    });
  }

  mark(mark: 'force' | 'ban' | 'release'): void {
    const { node } = this;
    if (node === 0) return;
    void this.attempt(async () => {
      await ask(treeMark, { node, mark });
      this.handlers.changed();
    });
  }

  banNode(node: number): void {
    void this.attempt(async () => {
      await ask(treeMark, { node, mark: 'ban' });
      this.handlers.changed();
    });
  }

  score(score: number | null): void {
    void this.attempt(async () => {
      await ask(treeScore, { node: this.node, score });
      this.handlers.changed();
    });
  }

  insert(): void {
    if (this.node > 0) void this.attempt(async () => ask(treeInsert, { text: await this.text() }));
  }

  copy(): void {
    void this.attempt(async () => ask(treeCopy, { text: await this.text() }));
  }

  read(): void {
    if (this.node > 0) void this.attempt(() => ask(treeRead, { node: this.node }));
  }

  tune(): void {
    void this.attempt(() => ask(treeTune, { node: this.node }));
  }

  save(format: 'json' | 'html'): void {
    void this.attempt(() => ask(treeExport, { format }));
  }

  /** @param drawn the tree as SVG, once it has all its texts */
  saveDrawing(drawn: () => Promise<string>): void {
    void this.attempt(async () => ask(treeExport, { format: 'svg', text: await drawn() }));
  }

  private get node(): number {
    return this.handlers.selected();
  }

  /** Text from the prompt to the selected node. */
  private async text(): Promise<string> {
    const { path } = await ask(treeInspect, { node: this.node });
    return path.map(({ text }) => text).join('');
  }

  /** Does what the person asked for, and says what went wrong. @returns whether it was done */
  private async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.handlers.failed(error);
      return false;
    }
  }
}
