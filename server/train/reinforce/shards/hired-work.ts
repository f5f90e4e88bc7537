/** The part of a stage that a worker has: it samples, judges and computes gradients, and neither draws prompts nor learns. */
import { openReward } from '../../../reward-model/learned-reward.ts';
import type { ReinforceSettings } from '../../../spec/settings/reinforcement.ts';
import { tokenizerOf } from '../../data.ts';
import { trainErrors } from '../../errors.ts';
import { type HirePlan, type ShardWork, withEnd } from '../../shards/shards.ts';
import type { StageContext } from '../../stage.ts';
import type { Actor } from '../actor.ts';
import { exerciseIn } from '../environment-exercise.ts';
import type { Recomputing } from '../learner.ts';
import { ReferencePolicy } from '../policy-gradient.ts';
import { answered, type Rollouts } from '../rollouts.ts';
import type { Chooser } from '../sampler.ts';
import { RolloutWork } from './shard-work.ts';

/** @throws train.setting, reward.*, environment.* */
export async function hire(
  context: StageContext,
  settings: ReinforceSettings & Recomputing,
  actor: Actor & Chooser,
  { count, reference: weights }: HirePlan,
): Promise<ShardWork> {
  const rollouts = await rolloutsOf(context, settings, actor);
  const reference = await ReferencePolicy.create(context, actor, settings.temperature, weights);
  const work = new RolloutWork(context, settings, count, actor, rollouts, () => reference);
  return withEnd(work, async () => {
    await reference.dispose();
    await actor.dispose();
    await rollouts.close();
  });
}

async function rolloutsOf(
  context: StageContext,
  settings: ReinforceSettings,
  actor: Actor & Chooser,
): Promise<Rollouts> {
  const { environment, reward } = settings;
  // The starts come with the shards.
  if (environment !== undefined)
    return (await exerciseIn({ ...settings, environment, worlds: 0, evaluate_rows: 0 }, context, actor)).rollouts;
  if (reward === undefined) throw trainErrors.setting('reinforce', 'reward', 'reinforcement needs a reward');
  return answered(actor, tokenizerOf(context), await openReward(reward, context.resolve('.')));
}
