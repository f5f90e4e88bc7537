/** Results as they are written: a versioned document that a program reads and a table is made from. */
import { z } from 'zod';
import { rewardSpec } from '../rewards/schema.ts';
import { measureNames } from '../spec/schema.ts';
import { figure } from '../train/measures/figures.ts';
import { choiceMeasure, choiceReport } from './choice/report.ts';

export const evaluationVersion = 1;

export type MeasureName = (typeof measureNames)[number];

/** How the measure `search` searches; reports from before it was there are read with the defaults. */
export const searchMeasure = z.strictObject({
  /** Held-out prompts at most. */
  prompts: z.int().positive().default(32),
  /** Tokens that each way may generate for a prompt. */
  tokens: z.int().positive().default(256),
  /** Children of a node. */
  breadth: z.int().positive().default(8),
  /** Codes that write the same next token are one child; false: a child for each code, as in the paper. */
  merge: z.boolean().default(true),
  cpuct: z.number().min(0).default(0.7),
  /** Actions of an edge of MCTS. */
  edge_steps: z.int().positive().default(1),
  /** MCTS-Q: Bellman error that ends an edge, and its most further actions. */
  threshold: z.number().min(0).default(0.01),
  max_extra: z.int().min(0).default(64),
  /** MCTS-Q is measured where Q correlates more than so with the rewards of sampled answers; -1: whatever it knows. */
  q_above: z.number().min(-1).max(1).default(0.7),
  /** Of the actions of rollouts in a tree; 0 is greedy. Best-of-N samples at the temperature of the task. */
  temperature: z.number().min(0).default(0),
  /** Memory for keys and values, in MB. */
  cache: z.number().positive().default(256),
  /**
   * The reward that guides and picks, such as { model: FOLDER }; that of the task judges only what was picked. Without one the
   * reward of the task picks itself, and the figures say oracle.
   */
  judge: rewardSpec.optional(),
});

/** How much is measured. */
export const evaluationSettings = z.strictObject({
  /** Held-out prompts. */
  prompts: z.int().positive(),
  /** Sampled answers a prompt: k of pass@k goes up to it. */
  samples: z.int().positive(),
  /** Sequences of held-out text. */
  sequences: z.int().positive(),
  /** Tokens in a sequence, at most the model's context. */
  length: z.int().min(4),
  /** Positions at which the marginal is measured. */
  marginal_states: z.int().positive(),
  /** Positions at which every code is tried. */
  reach_states: z.int().positive(),
  /** Positions at which two policies are compared. */
  divergence_states: z.int().positive(),
  /** Prefixes of continuations, tokens in one, continuations of one, tokens in one of these. */
  prefixes: z.int().positive(),
  prefix_tokens: z.int().positive(),
  continuations: z.int().min(2),
  continuation_tokens: z.int().positive(),
  /** Temperatures at which actions and tokens are compared at equal quality; none by default, for each takes as long as the others. */
  temperatures: z.array(z.number().positive().max(10)).max(12).default([]),
  search: searchMeasure.prefault({}),
  choice: choiceMeasure.prefault({}),
});
export type EvaluationSettings = z.infer<typeof evaluationSettings>;

export const defaultSettings: EvaluationSettings = {
  prompts: 200,
  samples: 8,
  sequences: 32,
  length: 128,
  marginal_states: 1024,
  reach_states: 512,
  divergence_states: 512,
  prefixes: 20,
  prefix_tokens: 32,
  continuations: 8,
  continuation_tokens: 32,
  temperatures: [],
  search: searchMeasure.parse({}),
  choice: choiceMeasure.parse({}),
};

export const evaluation = z.strictObject({
  version: z.literal(evaluationVersion),
  /** Folder of the model. */
  model: z.string(),
  /** Folder of the model it is compared with. */
  against: z.string().nullable(),
  /** What chose at each step. */
  decoding: z.enum(['actions', 'tokens']),
  device: z.string(),
  seeds: z.array(z.int()).min(1),
  settings: evaluationSettings,
  /** Figures by measure and name. */
  results: z.partialRecord(z.enum(measureNames), z.record(z.string(), figure)),
  /** How often each code was used, where the measure codebook was taken. */
  usage: z.array(z.int().min(0)).optional(),
  /** What there is to choose from, with intervals, where the measure choice was taken. */
  choice: choiceReport.optional(),
  /** Measures that could not be taken, and why. */
  skipped: z.array(z.strictObject({ measure: z.enum(measureNames), reason: z.string() })),
});
/** All that was measured of one model. */
export type Evaluation = z.infer<typeof evaluation>;

export const comparison = z.strictObject({
  version: z.literal(evaluationVersion),
  /** Models that stand for one method are one column. */
  columns: z.array(z.strictObject({ label: z.string(), evaluations: z.array(evaluation).min(1) })).min(1),
  /** One figure of every column; null where a column has none. */
  rows: z.array(
    z.strictObject({ measure: z.enum(measureNames), name: z.string(), values: z.array(figure.nullable()) }),
  ),
});
/** Several models side by side. */
export type Comparison = z.infer<typeof comparison>;
