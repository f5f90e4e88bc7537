/** What other tools call our metrics: TRL's names where it has the same figure, ours where it has none. docs/loggers.md has the table. */

/** Ours, TRL's, and how the one is made of the other. */
export const trlNames: Readonly<Record<string, { readonly name: string; readonly of?: (value: number) => number }>> = {
  reward: { name: 'reward' },
  reward_spread: { name: 'reward_std' },
  mixed_groups: { name: 'frac_reward_zero_std', of: (mixed) => 1 - mixed },
  kl: { name: 'kl' },
  entropy: { name: 'entropy' },
  clipped: { name: 'clip_ratio' },
  answer_tokens: { name: 'completions/mean_length' },
  finished: { name: 'completions/clipped_ratio', of: (finished) => 1 - finished },
  gradient_norm: { name: 'grad_norm' },
  held_out_loss: { name: 'loss' },
};

/** A line of metrics.jsonl as far as it is read here. */
export type MetricLine = Readonly<Record<string, unknown>> & { readonly step: number };

const meta = new Set(['step', 'stage', 'evaluation']);

/** Characters of a name. */
const longest = 200;

/** A name on one line: what is in a log may have been written by anyone. */
const plain = (name: string) => name.replaceAll(/\p{Cc}+/gu, ' ').slice(0, longest);

/** The figures of a line under their names abroad; lists and what is not finite are left out, held-out ones begin with `eval/`. */
export function scalarsOf(line: MetricLine): (readonly [name: string, value: number])[] {
  const prefix = line.evaluation === true ? 'eval/' : 'train/';
  return Object.entries(line).flatMap(([ours, value]) => {
    if (meta.has(ours) || typeof value !== 'number' || !Number.isFinite(value)) return [];
    const known = Object.hasOwn(trlNames, ours) ? trlNames[ours] : undefined;
    return [[`${prefix}${known?.name ?? plain(ours)}`, known?.of?.(value) ?? value] as const];
  });
}
