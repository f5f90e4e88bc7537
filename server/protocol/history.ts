/** What a run has left on disk: its figures, its samples, its settings. Read from files, so it needs no engine. */
import { z } from 'zod';
import { figure, request } from './channel/request.ts';
import { runKey, sample } from './runs.ts';

/** Most rows, samples or uses of codes in one answer. */
export const historyLimits = { rows: 20_000, samples: 1000, runs: 5 } as const;

/** Figures whose peaks and dips are never left out. */
export const chartedMetrics = [
  'reward',
  'greedy_reward',
  'sampled_reward',
  'greedy_solved',
  'sampled_solved',
  'kl',
  'entropy',
  'answer_tokens',
  'loss',
  'held_out_loss',
  'accuracy',
  'held_out_accuracy',
  'marginal_kl',
  'held_out_marginal_kl',
  'held_out_alive',
  'alive',
  'held_out_bits',
  'held_out_recovered',
  'held_out_random_loss',
  'gradient_norm',
  'seconds',
] as const;

const count = z.int().nonnegative();

/** The stages, checkpoints and events of a run. */
export const runDetails = request(
  'cola/run/details',
  runKey,
  z.object({
    path: z.string(),
    /** The spec it was started with. */
    specFile: z.string(),
    /** Model folder as the spec has it, or null where the run makes a new model. */
    model: z.string().nullable(),
    /** Names of all stages, in order; empty where the spec cannot be read. */
    stages: z.array(z.string()),
    checkpoints: z.array(z.object({ step: count, best: z.boolean() })),
    /** The folders of finished models in it. */
    models: z.array(z.object({ name: z.enum(['model', 'best']), folder: z.string() })),
    /** What happened, oldest first; the last few hundred events. */
    log: z.array(
      z.object({
        /** Milliseconds since 1970. */
        time: z.number(),
        kind: z.enum(['device', 'stage', 'message', 'stopped', 'interrupted', 'failed', 'done', 'other']),
        text: z.string(),
      }),
    ),
  }),
);
export type RunDetails = z.infer<typeof runDetails.result>;

export const metricRow = z.object({
  step: count,
  stage: z.string(),
  evaluation: z.boolean(),
  values: z.record(z.string(), figure),
});

/** How often every code was taken up to a step, since the entry before. */
export const codeUsage = z.object({
  step: count,
  /** Whether they are greedy actions on held-out data; otherwise those sampled in training. */
  evaluation: z.boolean(),
  counts: z.array(z.number()),
});
export type CodeUsage = z.infer<typeof codeUsage>;

export const stageSpan = z.object({
  name: z.string(),
  /** Number of its step 0: every stage before it took its steps, and one for the measurement before them. */
  before: count,
  /** Last step that is known. */
  last: count,
  /** Steps it is going to have; null where that is not known. */
  steps: count.nullable(),
  /** Seconds of its steps and measurements. */
  seconds: z.number(),
});
export type StageSpan = z.infer<typeof stageSpan>;

/** Where a reader of a file stands. */
const cursor = z.strictObject({ file: z.string().max(100), offset: count });

/**
 * The figures of a run, thinned out where there are many (see `RowSampler`).
 *
 * With `after`, only what was written since; a file that was cut or replaced meanwhile is read anew, and `whole` says so.
 */
export const runMetrics = request(
  'cola/run/metrics',
  runKey.extend({
    /** Most rows of steps, and most of measurements. */
    rows: z.int().min(10).max(historyLimits.rows).default(4000),
    from: count.optional(),
    to: count.optional(),
    after: cursor.optional(),
  }),
  z.object({
    rows: z.array(metricRow),
    usage: z.array(codeUsage),
    stages: z.array(stageSpan),
    /** What workers did in the last step, a number for each of them by name; left out where there are none. */
    workers: z.record(z.string(), z.array(figure)).optional(),
    whole: z.boolean(),
    /** Lines that could not be understood. */
    damaged: count,
    cursor,
  }),
);
export type RunMetrics = z.infer<typeof runMetrics.result>;

export const runSample = sample.extend({ step: count, stage: z.string() });
export type RunSample = z.infer<typeof runSample>;

/** Samples by their place in the file, oldest first; the newest ones, if `from` is not given. */
export const runSamples = request(
  'cola/run/samples',
  runKey.extend({ from: count.optional(), count: z.int().min(1).max(historyLimits.samples).default(200) }),
  z.object({ total: count, from: count, samples: z.array(runSample) }),
);

/** The settings in which runs differ, from the specs they were started with. */
export const compareSettings = request(
  'cola/run/compare',
  z.strictObject({ runs: z.array(runKey).min(1).max(historyLimits.runs) }),
  z.object({
    /** By name, such as `reinforce.learning_rate`; null where a run has no such setting. */
    differing: z.array(z.object({ name: z.string(), values: z.array(z.string().nullable()) })),
    /** Settings that are the same in all. */
    same: count,
  }),
);
