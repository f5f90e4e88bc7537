/** Whether what a model solves has changed between two measurements, judged by the sharpest test that their figures allow. */
import { meanChange, pairedChange, type ShareChange, shareChange } from './shares.ts';

type Figures = Readonly<Record<string, unknown>>;

/** The figures that say how much is solved: of the greedy answer, of all samples, and by one of k samples. */
export type SolvedFigure = 'greedy_solved' | 'sampled_solved' | `pass_at_${number}`;

/** pass@k of as many samples as there were; undefined where nothing was sampled. */
export function passOf(figures: Figures): { readonly name: SolvedFigure; readonly samples: number } | undefined {
  const all = Object.keys(figures).flatMap((name) => /^pass_at_(\d+)$/.exec(name)?.[1] ?? []);
  const samples = Math.max(0, ...all.map(Number));
  return samples === 0 ? undefined : { name: `pass_at_${samples}`, samples };
}

/** For people. */
export const changeWords = {
  rises: 'rose, beyond chance',
  falls: 'fell, beyond chance',
  none: 'no clear change',
  unknown: 'too few to tell',
} as const satisfies Record<ShareChange, string>;

const numberOf = (figures: Figures, name: string): number | undefined => {
  const value = figures[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};

/**
 * @param before the first measurement of a stage
 * @param after a later one; where it says how the same problems turned since, they are compared one by one, otherwise as two
 *   independent counts
 */
export function changeBetween(name: SolvedFigure, before: Figures, after: Figures): ShareChange {
  const [a, b] = [numberOf(before, name), numberOf(after, name)];
  const count = numberOf(after, 'held_out_problems');
  if (a === undefined || b === undefined || count === undefined) return 'unknown';
  const noise = numberOf(after, 'sampled_noise');
  if (name === 'sampled_solved') {
    return noise === undefined ? shareChange(a, b, count) : meanChange(b - a, noise, count);
  }
  const stem = name === 'greedy_solved' ? 'greedy' : 'pass';
  const [gained, lost] = [numberOf(after, `${stem}_gained`), numberOf(after, `${stem}_lost`)];
  return gained === undefined || lost === undefined ? shareChange(a, b, count) : pairedChange({ gained, lost }, count);
}
