/** When a codebook is called healthy: not by codes that are in use, but by codes that say something. */

/** From so many bits an action on, and from this share of forced codes that the inverse dynamics names. */
export const healthyCodes = { bits: 2, recovered: 0.6 } as const;

export const isHealthy = ({ bits, recovered }: { readonly bits: number; readonly recovered: number }): boolean =>
  bits >= healthyCodes.bits && recovered >= healthyCodes.recovered;
