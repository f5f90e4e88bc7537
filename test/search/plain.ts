/** The algorithm of test/fixtures/cola/README.md, section 10, in the plainest form: objects, recursion, no batches. Shares no code with the search. */
import type { ToyWorld } from './toy.ts';

export interface PlainNode {
  id: number;
  parent: PlainNode | null;
  actions: number[];
  tokens: number[];
  errors: number[];
  N: number;
  W: number;
  P: number;
  children: PlainNode[];
  /** All tokens since the prompt. */
  all: number[];
}

export interface PlainOptions {
  breadth: number;
  cpuct: number;
  gamma: number;
  threshold: number;
  maxExtra: number;
  qGamma: number;
  maxNew: number;
}

const f32 = Math.fround;

export function plainSearch(
  world: ToyWorld,
  options: PlainOptions,
  reward: (tokens: readonly number[]) => number,
  simulations: number,
): { nodes: PlainNode[]; rewards: number[] } {
  const policy = (s: number[]) => world.policy!(s).map(f32);
  const q = (s: number[]) => world.q!(s).map(f32);
  const argmax = (values: number[]) => values.indexOf(Math.max(...values));
  const ended = (s: number[]) =>
    s.length > 0 && ((world.endIds ?? []).includes(s.at(-1)!) || s.length >= options.maxNew);
  const node = (parent: PlainNode | null): PlainNode => {
    const made = {
      id: nodes.length,
      parent,
      actions: [],
      tokens: [],
      errors: [],
      N: 0,
      W: 0,
      P: Number.NaN,
      children: [],
      all: [],
    };
    nodes.push(made);
    return made;
  };
  const nodes: PlainNode[] = [];
  const root = node(null);
  const expand = (n: PlainNode) => {
    const logits = policy(n.all);
    const total = logits.reduce((sum, l) => sum + Math.exp(l), 0);
    const codes = logits.map((_, code) => code).sort((a, b) => logits[b] - logits[a] || a - b);
    for (const code of codes.slice(0, options.breadth)) {
      const child = node(n);
      child.P = Math.exp(logits[code]) / total;
      child.all = [...n.all];
      let action = code;
      for (;;) {
        const before = [...child.all];
        child.actions.push(action);
        child.tokens.push(world.token!(before, action));
        child.all.push(child.tokens.at(-1)!);
        if (ended(child.all)) break;
        const e = (q(before)[action] - options.qGamma * Math.max(...q(child.all))) ** 2;
        child.errors.push(e);
        if (e >= options.threshold || child.actions.length === 1 + options.maxExtra) break;
        action = argmax(policy(child.all));
      }
      n.children.push(child);
    }
  };
  const rewards: number[] = [];
  for (let i = 0; i < simulations; i++) {
    let at = root;
    while (!ended(at.all) && (at.children.length > 0 || at.N > 0)) {
      if (at.children.length === 0) expand(at);
      const score = (c: PlainNode) => (c.N === 0 ? 0 : c.W / c.N) + (options.cpuct * c.P * Math.sqrt(at.N)) / (1 + c.N);
      at = at.children.reduce((a, b) =>
        score(b) > score(a) || (score(b) === score(a) && b.actions[0] < a.actions[0]) ? b : a,
      );
    }
    const s = [...at.all];
    while (!ended(s)) s.push(world.token!(s, argmax(policy(s))));
    rewards.push(reward(s));
    let share = rewards[i];
    for (let up: PlainNode | null = at; up !== null; up = up.parent, share *= options.gamma) {
      up.N++;
      up.W += share;
    }
  }
  return { nodes, rewards };
}
