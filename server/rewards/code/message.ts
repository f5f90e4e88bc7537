import { z } from 'zod';

/** What the code reward and its helper program say to each other. */

/** A question to the sandbox; without `tests` the candidate is not run. */
export const codeQuestion = z.object({
  code: z.string(),
  /** The code it continues: then it may be unfinished, and errors in what was there before do not count. */
  before: z.string().optional(),
  tests: z.string().optional(),
  types: z.boolean(),
  timeMs: z.number(),
  memoryMb: z.number(),
});
export type CodeQuestion = z.infer<typeof codeQuestion>;

/** `unusable` says why the tests cannot be used, whatever the candidate. */
export const codeAnswer = z.union([
  z.object({ unusable: z.string() }),
  z.object({
    /** 0 to 1. */
    parses: z.number(),
    types: z.boolean(),
    passed: z.number(),
    total: z.number(),
    late: z.boolean(),
  }),
]);
export type CodeAnswer = z.infer<typeof codeAnswer>;
