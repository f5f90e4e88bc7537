/** Where a run stands, beside its tensors: what the state of every checkpoint begins with. */
import { z } from 'zod';

export const position = z.looseObject({
  /** 1: the checkpoint has a manifest. Those of earlier versions have neither. */
  format: z.literal(1).optional(),
  /** Index of the stage. */
  at: z.int().min(0),
  /** Steps of that stage that are done. */
  done: z.int().min(0),
  /** Number of the stage's step 0: every stage before it took its steps, and one for the measurement before them. */
  before: z.int().min(0),
  /** Best held-out score of the stage so far, and the part of the stage it belongs to. */
  best: z.object({ score: z.number(), part: z.int() }).nullable(),
  /** Whether the measurement after the last step is still to be made: the run was stopped in the middle of it. */
  unmeasured: z.boolean(),
  /** Names of all weights that the stages so far have changed. */
  changed: z.array(z.string()),
});
export type Position = z.infer<typeof position>;
