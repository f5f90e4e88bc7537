/** What a search over turns is shown beside: the episode of what is likeliest, and the best of samples for as many tokens. */
import { seedFrom } from '../random.ts';
import { earned, type TurnPlayer } from './courses.ts';
import type { TurnEpisode } from './turns.ts';

/** Episodes, of which the one that earned most was picked: by the world's own reward, as an oracle would. */
export interface TurnControl {
  readonly best: TurnEpisode | undefined;
  readonly episodes: number;
  /** Tokens that were written. */
  readonly tokens: number;
}

const whole = { single: false, valued: false, byAction: false } as const;

/** The episode that always takes what is likeliest. */
export async function greedyEpisode(player: TurnPlayer, signal: AbortSignal): Promise<TurnControl> {
  const [{ turns, over, generated }] = await player.play([], { ...whole, seeds: [0], temperature: 0 }, signal);
  return { best: over ? { turns, reward: earned(turns), over } : undefined, episodes: 1, tokens: generated };
}

/**
 * Independent episodes from the start, until so many tokens are written or one earned as much as there is. The budget is checked
 * between batches, as in a search between expansions.
 */
export async function bestOfEpisodes(
  player: TurnPlayer,
  settings: { readonly tokens: number; readonly batch: number; readonly temperature: number; readonly seed: number },
  signal: AbortSignal,
  onBatch: (tokens: number) => void = () => {},
): Promise<TurnControl> {
  let best: TurnEpisode | undefined;
  let [episodes, tokens] = [0, 0];
  while (tokens < settings.tokens && (best === undefined || best.reward < (player.most ?? Number.POSITIVE_INFINITY))) {
    signal.throwIfAborted();
    const first = episodes;
    // Others than those of the search.
    const seeds = Array.from({ length: settings.batch }, (_, i) => seedFrom(settings.seed, 1, first + i));
    const courses = await player.play([], { ...whole, seeds, temperature: settings.temperature }, signal);
    for (const { turns, over, generated } of courses) {
      const reward = earned(turns);
      if (over && (best === undefined || reward > best.reward)) best = { turns, reward, over };
      tokens += generated;
      episodes++;
    }
    onBatch(tokens);
  }
  return { best, episodes, tokens };
}
