/** The figures of the model card, as `measure.ts` collects them. */
import { z } from 'zod';
import { evaluation } from '../../server/evaluate/report.ts';

const kinds = z.enum(['all', 'ts', 'js', 'md']);

/** Bits per byte of one kind of held-out text. */
const bits = z.strictObject({
  bytes: z.int(),
  model: z.number().nullable(),
  'gzip -9': z.number(),
  'xz -9e': z.number(),
  '5-gram': z.number(),
});

export const measured = z.strictObject({
  version: z.literal(1),
  /** Day of the measurement. */
  date: z.string(),
  device: z.string(),
  parameters: z.strictObject({ base: z.int(), added: z.int() }),
  /** Of the weights on disk. */
  bytes: z.int(),
  bits: z.partialRecord(kinds, bits),
  /** Codebook and marginal on held-out text. */
  text: evaluation,
  /** Countdown in its compact form. */
  countdown: evaluation,
  /** The same answered by the base's tokens. */
  countdownTokens: evaluation,
  statements: z.strictObject({
    count: z.int(),
    parsed: z.int(),
    none: z.int(),
    rate: z.number(),
    examples: z.array(z.strictObject({ statement: z.string(), parsed: z.boolean() })),
  }),
});
export type Measured = z.infer<typeof measured>;
