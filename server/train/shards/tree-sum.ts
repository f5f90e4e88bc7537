/**
 * The sum of gradients in a fixed order: that of a binary tree whose leaves are the shards. A part of the tree may be added up by
 * whoever has all of its leaves, and the sum has the same bits.
 */

/** Leaves `index 2^level` to `(index + 1) 2^level`, as far as there are so many. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** The leaves of a node, from and to. */
export const leavesOf = ({ level, index }: TreeNode, count: number): [from: number, to: number] => [
  index * 2 ** level,
  Math.min(count, (index + 1) * 2 ** level),
];

/** The largest nodes of which all leaves have one owner, in order. */
export function nodesOf<T>(owners: readonly T[]): TreeNode[] {
  const { length: count } = owners;
  const under = (node: TreeNode): TreeNode[] => {
    const [from, to] = leavesOf(node, count);
    if (from >= to) return [];
    const one = owners.slice(from, to).every((owner) => owner === owners[from]);
    if (one || node.level === 0) return [node];
    const half = { level: node.level - 1, index: 2 * node.index };
    return [...under(half), ...under({ ...half, index: half.index + 1 })];
  };
  return under(rootOf(count));
}

export const rootOf = (count: number): TreeNode => ({ level: Math.ceil(Math.log2(Math.max(1, count))), index: 0 });

interface Sum {
  readonly arrays: readonly Float32Array[];
  readonly release: () => void;
}

export class TreeSum {
  private readonly spare: Float32Array[][] = [];
  private readonly sums = new Map<string, Sum>();
  private count = 0;

  /** @param lengths of the arrays of a gradient */
  constructor(private readonly lengths: readonly number[]) {}

  /** Begins a sum of so many leaves. */
  begin(count: number): void {
    for (const { release } of this.sums.values()) release();
    this.sums.clear();
    this.count = count;
  }

  /** Takes a leaf in, times its share. Its memory is not kept. */
  leaf(index: number, share: number, arrays: readonly Float32Array[]): void {
    const before = index % 2 === 1 ? this.take({ level: 0, index: index - 1 }) : undefined;
    if (before === undefined) {
      const own = this.spare.pop() ?? this.lengths.map((length) => new Float32Array(length));
      for (const [i, values] of arrays.entries()) {
        const into = own[i];
        for (let j = 0; j < into.length; j++) into[j] = share * values[j];
      }
      this.put({ level: 0, index }, { arrays: own, release: () => this.spare.push(own) });
      return;
    }
    for (const [i, values] of arrays.entries()) {
      const into = before.arrays[i];
      // As if it were rounded in memory of its own first.
      for (let j = 0; j < into.length; j++) into[j] += Math.fround(share * values[j]);
    }
    this.put({ level: 1, index: (index - 1) / 2 }, before);
  }

  /** Takes in what a node came to elsewhere. Its memory is written to, until it is released. */
  node(node: TreeNode, arrays: readonly Float32Array[], release = () => {}): void {
    this.put(node, { arrays, release });
  }

  private put(node: TreeNode, sum: Sum): void {
    let { level, index } = node;
    let own = sum;
    for (const { level: top } = rootOf(this.count); level < top; level++, index = Math.floor(index / 2)) {
      const beside = { level, index: index % 2 === 0 ? index + 1 : index - 1 };
      const [from, to] = leavesOf(beside, this.count);
      if (from >= to) continue;
      const other = this.take(beside);
      if (other === undefined) break;
      const [into, values] = index % 2 === 0 ? [own, other] : [other, own];
      for (const [i, array] of into.arrays.entries()) {
        const added = values.arrays[i];
        for (let j = 0; j < array.length; j++) array[j] += added[j];
      }
      values.release();
      own = into;
    }
    this.sums.set(`${level} ${index}`, own);
  }

  private take({ level, index }: TreeNode): Sum | undefined {
    const key = `${level} ${index}`;
    const sum = this.sums.get(key);
    this.sums.delete(key);
    return sum;
  }

  /** The sum of all leaves. Lent until it is released, or another sum begins. */
  get whole(): Sum {
    const { level, index } = rootOf(this.count);
    const sum = this.sums.get(`${level} ${index}`);
    if (sum === undefined) throw new Error('not all leaves are there');
    return sum;
  }
}
