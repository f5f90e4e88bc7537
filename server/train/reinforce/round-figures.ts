/** Figures of a round's samples, and what of them is shown to people. */
import type { ReinforceSettings } from '../../spec/settings/reinforcement.ts';
import type { Metrics, Sample } from '../stage.ts';
import { type Prompt, scoreOf } from './episode.ts';
import { mixedGroups } from './rounds.ts';
import type { Told } from './shards/shard.ts';

/** What is shown of an episode. */
export type Shown = Told & { readonly prompt: Prompt };

/** Said once, when the first round teaches nothing. */
export function nothingToLearn(reward: number): string {
  const same = `In the first round every sample of a prompt got the same reward (${reward.toPrecision(3)} on average).`;
  return `${same} As long as that is so, nothing is learned: look at samples.jsonl, and at the prompts and the reward of the spec.`;
}

/** Figures of a round's samples. */
export function describe(rows: readonly Told[]) {
  const scores = rows.flatMap(({ result }) => scoreOf(result) ?? []);
  const n = Math.max(1, scores.length);
  const mean = scores.reduce((a, b) => a + b, 0) / n;
  const variance = scores.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  const groups = new Set(rows.flatMap(({ group, result }) => (scoreOf(result) === undefined ? [] : group)));
  return {
    reward: mean,
    reward_spread: Math.sqrt(variance),
    unscored: rows.length - scores.length,
    mixed_groups: groups.size === 0 ? 0 : mixedGroups(rows).size / groups.size,
    answer_tokens: rows.reduce((a, row) => a + row.choices.length, 0) / Math.max(1, rows.length),
    finished: rows.filter((row) => row.finished).length / Math.max(1, rows.length),
    tokens: rows.reduce((a, row) => a + row.tokens.length, 0),
    ...(rows.some((row) => row.turns.length > 1)
      ? { turns: rows.reduce((a, row) => a + row.turns.length, 0) / rows.length }
      : {}),
  };
}

export const isSum = (reward: ReinforceSettings['reward']) => typeof reward === 'object' && 'sum' in reward;

/** Parts that are figures of a round: a module may name others for every sample. */
const mostParts = 100;

/**
 * `part_<name>`, the mean of each part of a sum without its weight, of the first hundred that there are. A part of weight 0 is
 * only watched: what was meant, beside what is learned from.
 */
export function partsOf(rows: readonly Pick<Told, 'result'>[]): Metrics {
  const parts = new Map<string, number[]>();
  for (const { result } of rows) {
    if ('noScore' in result) continue;
    for (const [name, value] of Object.entries(result.parts)) {
      const values = parts.get(name);
      if (values !== undefined) values.push(value);
      else if (parts.size < mostParts) parts.set(name, [value]);
    }
  }
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return Object.fromEntries(
    [...parts].map(([name, values]) => [`part_${name.replaceAll(/[^A-Za-z0-9]+/g, '_')}`, mean(values)]),
  );
}

/** @param latent whether the choices are latent actions */
export function sampleOf(row: Shown, latent: boolean): Sample {
  const { prompt, completion, choices, tokens, result } = row;
  const judged = 'noScore' in result ? { noScore: result.noScore } : { reward: result.value, parts: result.parts };
  return {
    ...{ prompt: prompt.text, completion, actions: latent ? choices : [], tokens: tokens.length },
    ...judged,
    ...turnsOf(row, latent),
  };
}

/** What is shown of the turns: a reader of the completion alone could not tell them from what a world says. */
function turnsOf({ talk, turns }: Shown, latent: boolean): Pick<Sample, 'turns' | 'ended'> {
  if (talk === undefined) return {};
  const { exchanges, ended } = talk;
  const told = exchanges.slice(0, turns.length).map((exchange, i) => ({
    ...exchange,
    reward: turns[i].reward,
    end: latent ? turns[i].end : 0,
  }));
  return { turns: told, ended };
}
