/** Expansion: the children of a node, all at once. */
import { argmaxOf, probabilities } from '../model/sampling.ts';
import type { Look, Outlook, SearchModel } from './model.ts';
import type { SearchOptions } from './options.ts';
import type { Edge } from './tree.ts';

/** The `breadth` codes with the largest logits, most probable first; ties go to the lowest code. */
export function topCodes(policy: Float32Array, breadth: number): number[] {
  const top: number[] = [];
  for (let code = 0; code < policy.length; code++) {
    let at = Math.min(top.length, breadth);
    while (at > 0 && policy[code] > policy[top[at - 1]]) at--;
    if (at >= breadth) continue;
    top.splice(at, 0, code);
    if (top.length > breadth) top.pop();
  }
  return top;
}

/** The codes that an expansion makes children of, most probable first: with `merge` one for each next token. */
export function firstCodes({ policy, nextTokens }: Outlook, breadth: number, merge: boolean): number[] {
  const ranked = topCodes(policy, merge ? policy.length : breadth);
  if (!merge) return ranked;
  const p = probabilities(policy, 0, policy.length);
  const leaders = new Map<number, { readonly code: number; weight: number }>();
  for (const code of ranked) {
    const leader = leaders.get(nextTokens[code]);
    if (leader === undefined) leaders.set(nextTokens[code], { code, weight: p[code] });
    else leader.weight += p[code];
  }
  // Sorting keeps the order of equals: the token of the likelier code first.
  const tokens = [...leaders.values()].sort((a, b) => b.weight - a.weight);
  return tokens.slice(0, breadth).map(({ code }) => code);
}

/** Probability of a code; with `merge` of all codes that write its token. */
function weightOf({ policy, nextTokens }: Outlook, code: number, merge: boolean): number {
  const p = probabilities(policy, 0, policy.length);
  if (!merge) return p[code];
  let sum = 0;
  for (let other = 0; other < p.length; other++) if (nextTokens[other] === nextTokens[code]) sum += p[other];
  return sum;
}

/** (Q(s,a) - gamma max Q(s',.))^2: how little the Q function agrees with itself over one step. */
export function bellmanError(q: number, next: Float32Array, gamma: number): number {
  return (q - gamma * next[argmaxOf(next, 0, next.length)]) ** 2;
}

/** An edge while it grows. */
interface Growing<S> {
  state: S;
  outlook: Outlook;
  action: number;
  readonly actions: number[];
  readonly tokens: number[];
  readonly errors: number[];
  readonly probabilities: number[];
  ended: boolean;
}

/**
 * The edges from a state that start with each of `codes`, grown in lockstep. With `steps` an edge has a fixed number of
 * actions, with `q` it goes on while its Bellman error is below the threshold; both end with the answer.
 * Yields after each run of the model.
 *
 * @param length tokens since the prompt at the state
 */
export async function* growEdges<S>(
  model: SearchModel<S>,
  look: Look<S>,
  options: SearchOptions,
  from: { readonly state: S; readonly outlook: Outlook; readonly length: number },
  codes: readonly number[],
): AsyncGenerator<void, Edge[]> {
  const { merge } = options;
  const edges = codes.map(
    (action): Growing<S> => ({
      state: from.state,
      outlook: from.outlook,
      action,
      actions: [],
      tokens: [],
      errors: [],
      probabilities: [weightOf(from.outlook, action, merge)],
      ended: false,
    }),
  );
  const { edge: rule } = options;
  const longest = rule.kind === 'q' ? 1 + rule.max_extra : rule.steps;
  let growing = edges;
  while (growing.length > 0) {
    for (const edge of growing) take(model, edge, from.length, options.max_new);
    // Under `steps` the last state of an edge is not needed before the node is visited.
    growing = growing.filter((edge) => !edge.ended && (rule.kind === 'q' || edge.actions.length < longest));
    if (growing.length === 0) break;
    const outlooks = await look(growing.map((edge) => edge.state));
    yield;
    growing = growing.filter((edge, i) => {
      const before = edge.outlook;
      edge.outlook = outlooks[i];
      if (rule.kind === 'q') {
        const { q } = before;
        const next = edge.outlook.q;
        if (q === undefined || next === undefined) throw new Error('the model gives no Q');
        const error = bellmanError(q[edge.action], next, rule.q_gamma);
        edge.errors.push(error);
        if (error >= rule.threshold || edge.actions.length === longest) return false;
      }
      edge.action = argmaxOf(edge.outlook.policy, 0, model.numCodes);
      edge.probabilities.push(weightOf(edge.outlook, edge.action, merge));
      return true;
    });
  }
  return edges.map((edge) => ({
    actions: edge.actions,
    tokens: edge.tokens,
    errors: edge.errors,
    // The authors' order takes the mean along the edge, PUCT the probability of the first action.
    prior: options.order === 'global' ? mean(edge.probabilities) : edge.probabilities[0],
    terminal: edge.ended,
  }));
}

/** Moves the edge on by its next action. */
function take<S>(model: SearchModel<S>, edge: Growing<S>, length: number, maxNew: number): void {
  const token = edge.outlook.nextTokens[edge.action];
  edge.actions.push(edge.action);
  edge.tokens.push(token);
  edge.ended = model.endIds.has(token) || length + edge.tokens.length >= maxNew;
  edge.state = model.child(edge.state, token);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
