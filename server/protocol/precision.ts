/** The forms that the weights of a base can be kept in. Apart from what computes, for specs, settings and the command line. */
export const precisions = ['f32', 'f16', 'int8', 'int4'] as const;
export type Precision = (typeof precisions)[number];

/** As a person chooses it. */
export const precisionChoices = ['auto', ...precisions] as const;
export type PrecisionChoice = (typeof precisionChoices)[number];

/**
 * Parameters from which `auto` keeps a frozen base in 8 bits: one of 0.5e9 then decodes with 1.9 GB instead of 4.9, and twice as fast,
 * 3e-4 nats from float32 on the model in the box (docs/models.md has the figures).
 */
export const largeFrom = 3e8;
