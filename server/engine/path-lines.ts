/** A path of a search as feedback: each node on it with several children is a moment, its children are the alternatives. */
import { randomUUID } from 'node:crypto';
import type { LoadedModel } from '../completion/loaded-model.ts';
import { promptEnd } from '../completion/prompt.ts';
import type { FeedbackLine, Happening } from '../feedback/lines.ts';
import { searchErrors } from '../search/errors.ts';
import { flag } from '../search/tree.ts';
import type { SearchSession } from './search-session.ts';

/** @param node the end of the path. @throws search.node */
export function pathLinesOf({ search }: SearchSession, model: LoadedModel, node: number): FeedbackLine[] {
  const { tree, prompt } = search;
  if (node >= tree.count) throw searchErrors.node(node, tree.count);
  const path: number[] = [];
  for (let at = node; at >= 0; at = tree.parent[at]) path.unshift(at);
  const at = Date.now();
  const lines: FeedbackLine[] = [];
  const read = [...prompt];
  for (const [step, parent] of path.entries()) {
    if (step > 0) read.push(...tree.edgeTokens(parent));
    const next = path[step + 1];
    const children = [...tree.childrenOf(parent)].filter((child) => tree.edgeTokens(child).length > 0).slice(0, 64);
    if (next === undefined || children.length < 2) continue;
    const id = randomUUID();
    const kept = promptEnd(read, model.marks);
    const visits = children.reduce((sum, child) => sum + tree.N[child], 0);
    lines.push({
      kind: 'moment',
      id,
      at,
      source: 'search',
      document: 'search',
      context: String(parent),
      model: model.fingerprint,
      version: model.policy.version,
      prompt: kept,
      before: model.tokenizer.decode(kept, { skipSpecialTokens: false }),
      alternatives: children.map((child) => {
        const tokens = [...tree.edgeTokens(child)];
        return {
          tokens,
          actions: [...tree.edgeActions(child)],
          // An edge is entered by its first action; the policy went on from there as it would have anyway.
          logp: tokens.map((_, i) => (i === 0 ? Math.log(Math.max(1e-9, tree.prior[child] || 1)) : 0)),
          pieces: tokens.map((token) => model.tokenizer.decode([token], { skipSpecialTokens: false })),
        };
      }),
      ...(visits === 0
        ? {}
        : {
            visits: children.map((child): [number, number] => [tree.firstAction(child), tree.N[child] / visits]),
          }),
    });
    for (const [alternative, child] of children.entries()) {
      const note = (what: Happening) => lines.push({ kind: 'event', at, moment: id, alternative, ...what });
      if (tree.has(child, flag.forced)) note({ what: 'forced' });
      if (tree.has(child, flag.banned)) note({ what: 'banned' });
      if (!Number.isNaN(tree.score[child])) note({ what: 'scored', score: tree.score[child] });
      // Whoever takes one branch has passed over the others.
      note({ what: child === next ? 'chosen' : 'passed' });
    }
  }
  return lines;
}
