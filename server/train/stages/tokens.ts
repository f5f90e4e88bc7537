/** The token-level baseline: what the method is compared with. Same data, rewards, algorithms, batch and budget, no actions. */
import type { Graph } from '../../graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { type TokensSettings, tokenRounds } from '../../spec/settings/reinforcement.ts';
import { stages } from '../../spec/stages.ts';
import { trainErrors } from '../errors.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { hire } from '../reinforce/shards/hired-work.ts';
import { baselineHead, learned, TokenActor, tokenPolicy } from '../reinforce/token-actor.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Stage, StageContext } from '../stage.ts';
import type { Configs, StageKind } from '../stage-kind.ts';
import { SupervisedStage } from '../supervised.ts';
import { refuseBlocks, rowData } from './guide.ts';
import { ReinforceStage, reinforcementParts, valued } from './reinforce.ts';

async function createTokens(settings: TokensSettings, context: StageContext): Promise<Stage> {
  refuseBlocks('tokens', settings.blocks, context.base.config);
  if (settings.method === 'supervised') return supervised(settings, context);
  return ReinforceStage.create('tokens', withRounds(settings), context, actorOf(settings, context));
}

const withRounds = (settings: TokensSettings) => ({ ...settings, steps: settings.steps ?? tokenRounds });

function actorOf(settings: TokensSettings, context: StageContext): TokenActor {
  const trained = learned(context.base.config, settings).map(({ name }) => name);
  return new TokenActor(context, trained, valued(settings));
}

function objective(graph: Graph, config: ModelConfig, rows: number, length: number): Objective {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const mask = graph.input('mask', 'float32', [rows, length]);
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
  return { loss: nextTokenLoss(languageHead(graph, config, h), ids, mask) };
}

async function supervised(settings: TokensSettings, context: StageContext): Promise<Stage> {
  const { data } = settings;
  if (data === undefined)
    throw trainErrors.setting('tokens', 'data', 'supervised fine-tuning needs rows with prompt and response');
  const { batches, heldOut, steps, cut } = await rowData('tokens', { ...settings, data }, context);
  const shape = { rows: cut.rows, length: batches.length, masked: true, part: 0 };
  return SupervisedStage.create(context, {
    name: 'tokens',
    steps,
    accumulate: cut.parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: learning(settings, context, { ...shape, rows: cut.batch, length: heldOut.length }).objective,
    batches,
    heldOut: [...heldOut.inOrder(16)],
    metrics: () => ({}),
  });
}

function learning(settings: TokensSettings, { base }: StageContext, { rows, length }: BatchShape): Learning {
  return {
    trained: learned(base.config, settings).map(({ name }) => name),
    checkpoint: settings.checkpoint,
    objective: (graph) => objective(graph, base.config, rows, length),
  };
}

const policyOf = (settings: TokensSettings, { config }: Configs) =>
  tokenPolicy(config, learned(config, settings), valued(settings));

export const tokens: StageKind<TokensSettings> = {
  ...stages.tokens,
  modules: () => undefined,
  extras: (settings, { config }) => (settings.method === 'reinforce' && valued(settings) ? [baselineHead(config)] : []),
  learns: (settings, configs) =>
    settings.method === 'supervised' ? learned(configs.config, settings) : policyOf(settings, configs).learns,
  parts(settings, configs, length) {
    const { config } = configs;
    if (settings.method === 'reinforce')
      return reinforcementParts(withRounds(settings), policyOf(settings, configs), config, length);
    return [
      trainingPart({
        rows: microRows(settings),
        length: length ?? settings.max_length,
        accumulate: settings.accumulate,
        checkpoint: settings.checkpoint,
        learns: learned(config, settings),
        objective: (graph, rows, t) => objective(graph, config, rows, t),
        measured: (graph, rows, t) => measuredBy(objective(graph, config, rows, t)),
      }),
    ];
  },
  create: createTokens,
  hire: (settings, context, plan) =>
    settings.method === 'supervised'
      ? hireFor(learning)(settings, context, plan)
      : hire(context, withRounds(settings), actorOf(settings, context), plan),
};
