/** Rounds of search and learning, in one piece. */

import type { Random } from '../../random.ts';
import type { ExpertSettings } from '../../spec/settings/expert.ts';
import { type LessonModel, lessonRound, lessonShape, shapeName } from '../lessons.ts';
import type { Optimizer } from '../optimizer/optimizer.ts';
import { minibatches } from '../reinforce/policy-gradient.ts';
import type { Start } from '../reinforce/starts.ts';
import type { Metrics, StageContext } from '../stage.ts';
import type { Found, PromptSearches, Told } from './searches.ts';

export interface ExpertRound {
  /** Of each prompt. */
  readonly told: readonly Told[];
  /** Learns from what was found. Is not broken off. */
  learn(): Promise<Metrics>;
}

export interface ExpertRounds {
  /**
   * Searches prompts under the weights as they are.
   *
   * @param index of the round, from 0
   * @param starts each with one seed
   * @param random what minibatches are drawn from where a round is one piece
   */
  run(index: number, starts: readonly Start[], random: Random, signal: AbortSignal): Promise<ExpertRound>;
  dispose(): Promise<void>;
}

/** What searches and what learns, in one process. */
export interface LessonMaker {
  readonly searches: PromptSearches;
  readonly model: LessonModel;
  /** Names of the weights that learn. */
  readonly trained: readonly string[];
}

/** Disposes of its maker. */
export class WholeRounds implements ExpertRounds {
  constructor(
    private readonly context: StageContext,
    private readonly settings: ExpertSettings,
    private readonly maker: LessonMaker,
    private readonly optimizer: Optimizer,
  ) {}

  async run(index: number, starts: readonly Start[], random: Random, signal: AbortSignal): Promise<ExpertRound> {
    const { context, settings, maker, optimizer } = this;
    const { searches, model } = maker;
    await searches.forget();
    const found: Found[] = [];
    for (const { prompt, seeds } of starts) found.push(await searches.search(prompt, seeds[0], signal));
    return {
      told: found.map(({ told }) => told),
      async learn() {
        const lessons = found.flatMap((each) => each.lessons);
        const parts = minibatches(lessons, settings.minibatches, random);
        const measure = () => model.measure(lessons);
        return lessonRound(settings, index, parts.length, measure, async (number, rate) => {
          await context.turn?.();
          const some = parts[number].map((k) => lessons[k]);
          const shape = lessonShape(some);
          const variant = shapeName(shape);
          await optimizer.prepare(variant, () => model.objective(shape));
          const { loss, gradientNorm, metrics } = await optimizer.step([model.feeds(some, shape)], rate, variant);
          const own = Object.entries(metrics[0]).map(([name, values]) => [name, values[0]] as const);
          return { loss, gradientNorm, metrics: Object.fromEntries(own) };
        });
      },
    };
  }

  dispose(): Promise<void> {
    return disposeOf(this.maker);
  }
}

export async function disposeOf({ searches, model }: LessonMaker): Promise<void> {
  await searches.dispose();
  await model.dispose();
}
