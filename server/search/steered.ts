/** What a person does to a tree while it is searched, whatever its edges are. */
import { searchErrors } from './errors.ts';
import type { SimulationLog } from './simulations.ts';
import { flag, type SearchTree } from './tree.ts';
import type { ValueRange } from './value-range.ts';

export abstract class Steered {
  abstract readonly tree: SearchTree;
  abstract readonly log: SimulationLog;
  protected abstract readonly range: ValueRange;

  /** Works out what follows from what was done. */
  protected abstract derive(): void;

  /** Only this node, and forced siblings, will be visited below its parent. @throws search.node, search.root */
  force(node: number): void {
    this.mark(node, flag.forced);
  }

  /** The node and everything below it will not be visited again; what it counted so far stays counted. @throws search.node, search.root */
  ban(node: number): void {
    this.mark(node, flag.banned);
  }

  /** Takes back {@link force} and {@link ban}. @throws search.node, search.root */
  release(node: number): void {
    this.mark(node, 0);
  }

  /**
   * A person's score of a node, in place of the reward of its simulations; see {@link SearchTree.rescore}. null takes it back.
   *
   * @throws search.node, search.score
   */
  score(node: number, score: number | null): void {
    this.checkNode(node);
    if (score !== null && !Number.isFinite(score)) throw searchErrors.score(score);
    this.tree.rescore(node, score ?? Number.NaN);
    this.range.forget();
    this.derive();
  }

  /** @throws search.node */
  checkNode(node: number): void {
    const { count } = this.tree;
    if (!Number.isInteger(node) || node < 0 || node >= count) throw searchErrors.node(node, count);
  }

  private mark(node: number, bit: number): void {
    this.checkNode(node);
    if (node === 0) throw searchErrors.root();
    const { flags } = this.tree;
    flags[node] = (flags[node] & ~(flag.forced | flag.banned)) | bit;
    this.derive();
  }
}
