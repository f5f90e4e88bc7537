/** Settings of a search, as they stand in a run spec or a request. */
import { z } from 'zod';
import { firstIssue } from '../schemas/first-issue.ts';
import { searchErrors } from './errors.ts';

const count = z.number().int().positive();
const weight = z.number().nonnegative();

/** How far one edge of the tree reaches. */
const edgeSchema = z.discriminatedUnion('kind', [
  /** MCTS: always this many actions, the first from the expansion and the others greedy. */
  z.strictObject({ kind: z.literal('steps'), steps: count.default(1) }),
  /**
   * MCTS-Q: one action, and up to `max_extra` greedy ones more for as long as the Bellman error
   * (Q(s,a) - q_gamma max Q(s',.))^2 is below `threshold`. The paper: 0.01, 64, 0.99.
   */
  z.strictObject({
    kind: z.literal('q'),
    threshold: z.number().nonnegative().default(0.01),
    max_extra: z.number().int().nonnegative().default(64),
    q_gamma: z.number().min(0).max(1).default(0.99),
  }),
]);

export const searchOptionsSchema = z.strictObject({
  /** Children of a node: that many of its most probable codes. */
  breadth: count.default(4),
  /** Children of the root; `breadth` if left out. */
  root_breadth: count.optional(),
  /**
   * Codes that write the same next token are one child: the most probable of them, with the probability of all. The states behind
   * them are the same, so nothing is lost. The paper's algorithm has a child for each code.
   */
  merge: z.boolean().default(false),
  /** c in mean + c P sqrt(N_parent) / (1 + N). */
  cpuct: z.number().nonnegative().default(0.7),
  /**
   * With `descent`: means count by where they lie between the least and the largest value of the search so far, 0 to 1 (MuZero,
   * arXiv 1911.08265, equation 5), so that `cpuct` means the same whatever rewards are.
   */
  normalise: z.boolean().default(false),
  /**
   * With `descent`: progressive widening. Of the children of a node that was simulated N times, the ceil(c N^alpha) most probable
   * ones are looked at.
   */
  widening: z
    .strictObject({ c: z.number().positive().default(1), alpha: z.number().min(0).max(1).default(0.5) })
    .optional(),
  /** Discount for each edge between a node and the simulation it counts. */
  gamma: z.number().min(0).max(1).default(0.99),
  edge: edgeSchema.default({ kind: 'steps', steps: 1 }),
  /**
   * What a simulation is worth: the weighted mean of the reward of a rollout, of the value head, and of max Q. The
   * reward of an answer that has ended always counts alone.
   */
  value: z
    .strictObject({ rollout: weight.default(0), value: weight.default(0), q: weight.default(0) })
    .refine((w) => w.rollout + w.value + w.q > 0, 'one of the weights must be above 0')
    .default({ rollout: 1, value: 0, q: 0 }),
  /** `descent`: PUCT from the root. `global`: the best unexpanded node of the whole tree, as the authors' code has it. */
  order: z.enum(['descent', 'global']).default('descent'),
  /** With `global`: nodes this many actions above the deepest one are passed over. */
  depth_window: count.default(100),
  /** Longest answer in tokens. */
  max_new: count.default(256),
  /** Simulations that run in lockstep; 1 is the plain algorithm. */
  batch: count.max(1024).default(1),
  /** What a simulation still under way counts as, so that the others of its batch go elsewhere. */
  virtual_reward: z.number().default(0),
  /** Of the actions of rollouts; 0 is greedy. */
  temperature: z.number().nonnegative().default(0),
  seed: z.number().int().default(0),
  /** Longest wait for one reward. */
  reward_seconds: z.number().positive().max(86400).default(60),
  /** Ends a run when an answer that has ended is reached, as the paper's algorithm does. */
  stop_at_end: z.boolean().default(false),
});

/** Settings with all defaults filled in. */
export type SearchOptions = z.output<typeof searchOptionsSchema>;
export type SearchSettings = z.input<typeof searchOptionsSchema>;

/** @throws search.options */
export function parseSearchOptions(settings: unknown): SearchOptions {
  const parsed = searchOptionsSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const { path, detail } = firstIssue(parsed.error);
  throw searchErrors.options(path, detail);
}

/** What a run may spend, whichever ends first. It is checked between batches, so a run may overshoot by one. */
export interface SearchBudget {
  /** Simulations, those without a score included. */
  readonly simulations?: number;
  /** Generated tokens: states the model was run for. A state found in its cache costs nothing. */
  readonly tokens?: number;
  /** Seconds in which the search worked; pauses do not count. */
  readonly seconds?: number;
}

/** @throws search.budget */
export function checkBudget(budget: SearchBudget): void {
  const given = (['simulations', 'tokens', 'seconds'] as const).filter((name) => budget[name] !== undefined);
  if (given.length === 0) throw searchErrors.budget('no budget is given');
  for (const name of given) {
    const value = budget[name];
    if (value === undefined || !(value > 0)) throw searchErrors.budget(`the budget of ${name} is ${value}`);
  }
}

/** What a search has spent so far. */
export interface Spent {
  simulations: number;
  tokens: number;
  seconds: number;
}
