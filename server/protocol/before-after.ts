/** The same prompts completed by the model that a run began with and by the one it ended with. */
import { z } from 'zod';
import { figure, request } from './channel/request.ts';
import { runKey } from './runs.ts';

const answer = z.object({
  text: z.string(),
  /** Null where nothing judges, or the answer has no score. */
  reward: figure,
});

/** Answered when all is written; cancelling it ends it. */
export const beforeAfter = request(
  'cola/run/before-after',
  runKey.extend({
    device: z.string().default('auto'),
    threads: z.int().positive().optional(),
    /** Most prompts. */
    limit: z.int().positive().max(50).default(8),
  }),
  z.object({
    /** Folder of the model before; null where the run made its model from nothing. */
    before: z.string().nullable(),
    after: z.string(),
    device: z.string(),
    /** Answers to the prompts that the run held out, or its held-out text continued. */
    kind: z.enum(['answers', 'text']),
    /** Reward from which an answer counts as solved; null where nothing judges. */
    solvedAt: z.number().nullable(),
    rows: z.array(z.object({ prompt: z.string(), before: answer.nullable(), after: answer })),
  }),
  /** What is done now, in words. */
  z.object({ text: z.string() }),
);
