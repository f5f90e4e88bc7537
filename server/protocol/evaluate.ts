/** Measuring a model, or the model of a run, beside everything else. */
import { z } from 'zod';
import { request } from './channel/request.ts';

export const measures = [
  'accuracy',
  'pass@k',
  'diversity',
  'forgetting',
  'marginal',
  'codebook',
  'cost',
  'search',
  'choice',
  'agent',
] as const;
export type Measure = (typeof measures)[number];

/** Answered when all is measured; cancelling it ends the measurement. */
export const evaluate = request(
  'cola/evaluate',
  z.strictObject({
    /** A model folder, a run, or `builtin:nano`. */
    folder: z.string().min(1),
    /** Folder whose `.cola/cache` keeps tokens. */
    root: z.string().min(1),
    device: z.string().default('auto'),
    threads: z.int().positive().optional(),
    measures: z.array(z.enum(measures)).min(1),
    /** Held-out text for a model that is of no run. */
    data: z.string().optional(),
    /** A task for a model that is of no run: `countdown`, `countdown:compact`, `arithmetic`. */
    prompts: z.string().optional(),
    limit: z.int().positive().optional(),
  }),
  z.object({
    model: z.string(),
    against: z.string().nullable(),
    device: z.string(),
    decoding: z.enum(['actions', 'tokens']),
    rows: z.array(z.object({ measure: z.string(), name: z.string(), value: z.string() })),
    skipped: z.array(z.object({ measure: z.string(), reason: z.string() })),
    /** All of it, as `cola evaluate --json` writes it. */
    json: z.unknown(),
  }),
  /** What is measured now, in words. */
  z.object({ text: z.string() }),
);
