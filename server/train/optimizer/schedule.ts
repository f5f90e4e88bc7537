/** The learning rate over a run: linear warm-up, then half a cosine down to a floor. */
export interface Schedule {
  /** Highest learning rate; undefined in the settings of a stage whose rates have not been worked out. */
  readonly peak: number | undefined;
  readonly warmupSteps: number;
  readonly steps: number;
  /** Lowest learning rate as a share of the peak. */
  readonly floor: number;
}

/** @param step from 0 */
export function learningRate({ peak, warmupSteps, steps, floor }: Schedule, step: number): number {
  if (peak === undefined) throw new Error('nobody has worked out the learning rate');
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
