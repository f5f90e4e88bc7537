import { z } from 'zod';

/** What the code reward and its helper program say to each other. */

/** A question to the sandbox; without `tests` the candidate is not run. */
export const codeQuestion = z.object({
  code: z.string(),
  tests: z.string().optional(),
  types: z.boolean(),
  timeMs: z.number(),
  memoryMb: z.number(),
});
export type CodeQuestion = z.infer<typeof codeQuestion>;

/** `unusable` says why the tests cannot be used, whatever the candidate. */
export const codeAnswer = z.union([
  z.object({ unusable: z.string() }),
  z.object({ parses: z.boolean(), types: z.boolean(), passed: z.number(), total: z.number(), late: z.boolean() }),
]);
export type CodeAnswer = z.infer<typeof codeAnswer>;
