/** The tree of a saved search as nodes to be shown, its principal variation, and both as lines of text. */
import type { SearchSnapshot } from './snapshot.ts';
import { flag } from './tree.ts';

/** A node with the edge to it. */
export interface OutlineNode {
  readonly id: number;
  /** -1 for the root. */
  readonly parent: number;
  /** Most visited first, then in order of creation. */
  readonly children: readonly number[];
  /** Edges from the root. */
  readonly depth: number;
  /** None of a model that chooses tokens. */
  readonly actions: readonly number[];
  readonly tokens: readonly number[];
  readonly N: number;
  /** W / N; null before the first visit. */
  readonly Q: number | null;
  /** null for the root. */
  readonly P: number | null;
  readonly V: number | null;
  /** The largest reward of the simulations that went through here; null if there was none. */
  readonly best: number | null;
  /** A person's. */
  readonly score: number | null;
  readonly terminal: boolean;
  readonly banned: boolean;
  readonly forced: boolean;
  readonly unscored: boolean;
}

/** Nodes by id. */
export function outline({ tree, simulations, num_codes: codes }: SearchSnapshot): OutlineNode[] {
  const best = new Array<number | null>(tree.parent.length).fill(null);
  for (const { node, reward } of simulations) {
    if (reward === null) continue;
    for (let id = node; id >= 0; id = tree.parent[id]) {
      const known = best[id];
      // Those above know at least as much.
      if (known !== null && known >= reward) break;
      best[id] = reward;
    }
  }
  const nodes: (OutlineNode & { readonly children: number[] })[] = [];
  let start = 0;
  for (const [id, parent] of tree.parent.entries()) {
    const end = start + tree.edge[id];
    const has = (bit: number) => (tree.flags[id] & bit) !== 0;
    nodes.push({
      id,
      parent,
      children: [],
      depth: parent < 0 ? 0 : nodes[parent].depth + 1,
      actions: codes === 1 ? [] : tree.actions.slice(start, end),
      tokens: tree.tokens.slice(start, end),
      N: tree.N[id],
      Q: tree.N[id] === 0 ? null : tree.W[id] / tree.N[id],
      P: parent < 0 ? null : tree.prior[id],
      V: tree.value[id],
      best: best[id],
      score: tree.score[id],
      terminal: has(flag.terminal),
      banned: has(flag.banned),
      forced: has(flag.forced),
      unscored: has(flag.unscored),
    });
    if (parent >= 0) nodes[parent].children.push(id);
    start = end;
  }
  for (const { children } of nodes) children.sort((a, b) => nodes[b].N - nodes[a].N || a - b);
  return nodes;
}

/** The most visited child from the root on, of those a person allows; the larger Q, then the older, among equals. Ids, without the root. */
export function principalVariation(nodes: readonly OutlineNode[]): number[] {
  const path: number[] = [];
  let at = nodes[0];
  for (;;) {
    const allowed = at.children.map((id) => nodes[id]).filter(({ banned, N }) => !banned && N > 0);
    const forced = allowed.filter((node) => node.forced);
    const narrowed = at.children.some((id) => nodes[id].forced && !nodes[id].banned);
    const next = (narrowed ? forced : allowed).reduce<OutlineNode | undefined>((most, node) => {
      if (most === undefined || node.N > most.N) return node;
      return node.N === most.N && (node.Q ?? 0) > (most.Q ?? 0) ? node : most;
    }, undefined);
    if (next === undefined) return path;
    path.push(next.id);
    at = next;
  }
}

/** Ids of at most `most` nodes, those with the largest N; with a node its parent is there too. */
export function mostVisited(nodes: readonly OutlineNode[], most: number): Set<number> {
  // A parent has at least its child's N and a lower id, so it comes first.
  const order = nodes.map(({ id }) => id).sort((a, b) => nodes[b].N - nodes[a].N || a - b);
  return new Set(order.slice(0, most));
}

/** Text in which nothing acts on a terminal or a reader: control, format and separating characters are written as escapes. */
export function visible(text: string): string {
  return text.replace(/[\\\p{C}\p{Zl}\p{Zp}]/gu, (char) => {
    if (char === '\\') return '\\\\';
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    return `\\u{${char.codePointAt(0)?.toString(16)}}`;
  });
}

/** {@link visible} text in quotes, cut to `most` characters. */
export function quoted(text: string, most = Number.POSITIVE_INFINITY): string {
  const chars = [...text];
  const cut = chars.length > most ? `${visible(chars.slice(0, most - 1).join(''))}…` : visible(text);
  return `"${cut.replaceAll('"', '\\"')}"`;
}

/** With as many digits as one reads at a glance; whole numbers as they are. */
export const figure = (value: number): string => String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));

/** What stands behind an edge: N, Q, P, V and the largest reward, where known, and what became of it. */
export function edgeFigures(node: OutlineNode): string {
  const known: readonly (readonly [string, number | null])[] = [
    ['N', node.N],
    ['Q', node.Q],
    ['P', node.P],
    ['V', node.V],
    ['best', node.best],
    ['score', node.score],
  ];
  const figures = known.flatMap(([name, value]) => (value === null ? [] : [`${name} ${figure(value)}`]));
  const words = (['terminal', 'banned', 'forced', 'unscored'] as const).filter((name) => node[name]);
  return [...figures, ...words.map((word) => (word === 'terminal' ? 'ended' : word))].join('  ');
}

/** The first action of an edge and the text of its tokens. */
export const edgeFace =
  (text: (tokens: readonly number[]) => string) =>
  ({ actions, tokens }: OutlineNode): string =>
    `${actions[0]} ${quoted(text(tokens), 40)}`;

/**
 * The tree with indentation, one line an edge: its face, and its figures. Edges of the principal variation are marked with `>`.
 *
 * @param face what is shown of an edge
 * @param most lines for nodes; the least visited ones are counted instead
 * @param root what is shown of the root
 */
export function treeLines(
  nodes: readonly OutlineNode[],
  face: (node: OutlineNode) => string,
  most: number,
  root = 'prompt',
): string[] {
  const shown = mostVisited(nodes, most);
  const principal = new Set(principalVariation(nodes));
  const lines = [`${root}  ${edgeFigures(nodes[0])}`.trimEnd()];
  const stack: { readonly id: number; readonly lead: string; readonly last: boolean }[] = [];
  const below = (id: number, lead: string) => {
    const children = nodes[id].children.filter((child) => shown.has(child));
    const hidden = nodes[id].children.length - children.length;
    // The last one pushed is the next one taken.
    if (hidden > 0 && children.length > 0) stack.push({ id: -hidden, lead, last: true });
    for (const [i, child] of [...children.entries()].reverse()) {
      stack.push({ id: child, lead, last: i === children.length - 1 && hidden === 0 });
    }
  };
  below(0, '');
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { id, lead, last } = next;
    const branch = `${lead}${last ? '└─' : '├─'}`;
    if (id < 0) {
      lines.push(`${branch}  ${-id} more`);
      continue;
    }
    const node = nodes[id];
    const sign = principal.has(id) ? '> ' : '  ';
    lines.push(`${branch}${sign}${face(node)}  ${edgeFigures(node)}`);
    below(id, `${lead}${last ? '   ' : '│  '}`);
  }
  return lines;
}
