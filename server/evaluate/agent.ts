/** What a model gets done in an environment, in worlds of its training and in others, beside who knows how and chance. */
import { type Environment, isGame, playGame, type Task } from '../environments/environment.ts';
import { Speech } from '../model/chat/speech.ts';
import { Random, seedFrom } from '../random.ts';
import type { StageAgent } from '../spec/stages.ts';
import { templateOf, tokenizerOf } from '../train/data.ts';
import type { Figures } from '../train/measures/figures.ts';
import { evaluatePrompts } from '../train/measures/prompts.ts';
import type { SolvedEach } from '../train/measures/solved.ts';
import { environmentPrompts, inEnvironment } from '../train/reinforce/environment-rollouts.ts';
import { openEnvironment } from '../train/reinforce/open-environment.ts';
import { promptRoom } from '../train/reinforce/rollout.ts';
import type { Subject } from './subject.ts';

/** An environment as a stage acts in it, without the sizes of its measurement. */
export interface AgentSpec extends Omit<StageAgent, 'sizes' | 'max_tokens'> {
  /** All that the context of the model has room for, if not given. */
  readonly max_tokens?: number | undefined;
}

export const sides = ['seen', 'unseen'] as const;

export interface AgentMeasured {
  readonly figures: Figures;
  /** World by world. */
  readonly each: Readonly<Record<Task['side'], SolvedEach>>;
}

/**
 * Episodes of a model: `seen_` and `unseen_` with `greedy` (the share of worlds that are solved when the likeliest is always
 * taken) and `sampled` (of samples); and as controls what chance (`random`) and the expert (`expert`) solve of the same worlds
 * in as many turns, where the environment has them.
 *
 * @param worlds of each side
 * @param samples a world
 * @throws environment.*, train.*, chat.*
 */
export async function measureAgent(
  subject: Subject,
  agent: AgentSpec,
  worlds: number,
  samples: number,
  seed: number,
): Promise<AgentMeasured> {
  const { context, base, signal } = subject;
  const { turns, max_new: maxNew, temperature, top_k: topK } = agent;
  const environment = await openEnvironment(agent.environment, context);
  const actor = subject.actor(topK);
  try {
    const speech = new Speech(tokenizerOf(context), agent.chat === false ? undefined : templateOf(context));
    const longest = promptRoom(base.config, agent.max_tokens ?? maxNew);
    const solvedAt = environment.range?.[1] ?? 1;
    const figures: Record<string, number> = {};
    const measureOn = async (side: Task['side']): Promise<SolvedEach> => {
      const prompts = await environmentPrompts(environment, speech, side, worlds, longest, signal);
      const room = base.config.maxPositionEmbeddings - Math.max(...prompts.map(({ ids }) => ids.length));
      const sizes = { turns, maxTokens: agent.max_tokens ?? room };
      const rollouts = inEnvironment(environment, actor, speech, sizes);
      const options = { samples, maxNew, temperature, topK, signal, solvedAt, seed };
      const { metrics, each } = await evaluatePrompts(rollouts, prompts, options);
      const { greedy_solved: greedy, sampled_solved: sampled, unscored } = metrics;
      const own = { greedy, sampled, unscored, ...controls(environment, side, worlds, turns, seed) };
      for (const [name, value] of Object.entries(own))
        if (typeof value === 'number') figures[`${side}_${name}`] = value;
      return each;
    };
    const each = { seen: await measureOn('seen'), unseen: await measureOn('unseen') };
    return { figures, each };
  } finally {
    await actor.dispose();
    await environment.close();
  }
}

/** What is solved by others than the model, of the same worlds in as many turns. */
function controls(
  environment: Environment,
  side: Task['side'],
  worlds: number,
  turns: number,
  seed: number,
): Partial<Record<'expert' | 'random', number>> {
  if (!isGame(environment)) return {};
  const most = environment.range?.[1] ?? 1;
  const share = (player: 'expert' | 'random') => {
    let solved = 0;
    for (let world = 0; world < worlds; world++) {
      const game = environment.game();
      const numbers = new Random(seedFrom(seed, world));
      game.reset(world, { side });
      const anything = () => {
        const possible = game.possible();
        return possible[numbers.integer(possible.length)];
      };
      let earned = 0;
      for (const { result } of playGame(game, player === 'expert' ? () => game.expert() : anything, turns))
        earned += result.reward;
      if (earned >= most) solved++;
    }
    return solved / worlds;
  };
  return { expert: share('expert'), random: share('random') };
}
