/** The token-level baseline: what the method is compared with. Same data, rewards, algorithms, batch and budget, no actions. */
import type { Graph } from '../../graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { TokensSettings } from '../../spec/settings.ts';
import { trainErrors } from '../errors.ts';
import type { Objective } from '../optimizer.ts';
import type { Stage, StageContext } from '../stage.ts';
import { SupervisedStage } from '../supervised.ts';
import { TokenActor, trainedOf } from '../token-actor.ts';
import { rowData } from './guide.ts';
import { ReinforceStage } from './reinforce.ts';

export async function createTokens(settings: TokensSettings, context: StageContext): Promise<Stage> {
  if (settings.blocks !== undefined && settings.blocks > context.base.config.layers) {
    throw trainErrors.setting('tokens', 'blocks', `the model has ${context.base.config.layers}`);
  }
  const trained = trainedOf(context.base, settings.blocks);
  if (settings.method === 'supervised') return supervised(settings, context, trained);
  const { prompts, reward, algorithm } = settings;
  if (prompts === undefined) throw trainErrors.setting('tokens', 'prompts', 'reinforcement needs prompts');
  if (reward === undefined) throw trainErrors.setting('tokens', 'reward', 'reinforcement needs a reward');
  const actor = new TokenActor(context, trained, algorithm === 'ppo');
  return ReinforceStage.create('tokens', { ...settings, prompts, reward }, context, actor);
}

async function supervised(settings: TokensSettings, context: StageContext, trained: readonly string[]): Promise<Stage> {
  const { data } = settings;
  if (data === undefined)
    throw trainErrors.setting('tokens', 'data', 'supervised fine-tuning needs rows with prompt and response');
  const { base } = context;
  const { batches, heldOut, steps, batch } = await rowData('tokens', { ...settings, data, steps: undefined }, context);
  const objective = (graph: Graph, held: boolean): Objective => {
    const length = held ? heldOut.length : batches.length;
    const ids = graph.input('ids', 'int32', [batch, length]);
    const mask = graph.input('mask', 'float32', [batch, length]);
    const { h } = hiddenStates(graph, base.config, ids, causalContext(graph, base.config, batch, length));
    return { loss: nextTokenLoss(languageHead(graph, base.config, h), ids, mask) };
  };
  return SupervisedStage.create(context, {
    name: 'tokens',
    steps,
    accumulate: settings.accumulate,
    settings,
    trained,
    objective,
    batches,
    heldOut: [...heldOut.inOrder(16)],
    tokensPerBatch: batch * batches.length,
    metrics: () => ({}),
  });
}
