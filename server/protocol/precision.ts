/** The forms that the weights of a base can be kept in. Apart from what computes, for specs, settings and the command line. */
export const precisions = ['f32', 'f16', 'int8', 'int4'] as const;
export type Precision = (typeof precisions)[number];

/** As a person chooses it. */
export const precisionChoices = ['auto', ...precisions] as const;
export type PrecisionChoice = (typeof precisionChoices)[number];
