/**
 * Stage 2: the base is fine-tuned while the actions are given (paper, appendix B.1.2). With `inverse` they come from the
 * inverse dynamics, which has seen the answer, and the policy is cloned again afterwards, because h has changed; with
 * `policy` from the policy, and nothing else is needed.
 */
import { type ColaConfig, moduleWeights } from '../../cola/config.ts';
import { cloneLoss, guideLoss } from '../../cola/losses.ts';
import { headOn, inverseDynamics } from '../../cola/modules.ts';
import { dataErrors } from '../../data/errors.ts';
import type { TokenRow } from '../../data/packing.ts';
import { answerOf, placeOf, type Row } from '../../data/rows.ts';
import { tokenRow } from '../../data/token-row.ts';
import { ColaError } from '../../errors.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { GuideSettings } from '../../spec/settings/supervised.ts';
import { stages } from '../../spec/stages.ts';
import { dataName, splitRows, templateOf, tokenizerOf } from '../data.ts';
import { trainErrors } from '../errors.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { learned } from '../reinforce/token-actor.ts';
import { RowBatches } from '../row-batches.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { SequenceStage } from '../sequence-stage.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Stage, StageContext } from '../stage.ts';
import { actionsOf, allModules, type StageKind, type StageModules } from '../stage-kind.ts';
import { type SupervisedPlan, SupervisedStage } from '../supervised.ts';
import { type BatchCut, cutBatch } from './pretrain.ts';

/** Problems of a task that are drawn for training, and for measuring. */
const taskRows = { train: 4000, test: 256 };
const heldOutBatches = 16;
/** Share of a file's rows that is held out. */
const heldOutShare = 1 / 50;

/** Rows of a spec as micro-batches of training and held-out data, with the number of updates. */
export async function rowData(
  stage: string,
  settings: Pick<
    GuideSettings,
    'data' | 'held_out' | 'chat' | 'max_length' | 'epochs' | 'steps' | 'batch' | 'accumulate'
  >,
  context: StageContext,
): Promise<{ batches: RowBatches; heldOut: RowBatches; steps: number; cut: BatchCut }> {
  const tokenizer = tokenizerOf(context);
  const template = settings.chat === false ? undefined : templateOf(context);
  const cut = cutBatch(stage, settings, context.sharding);
  const [endId] = context.base.endIds;
  const pad = context.base.config.padTokenId ?? endId ?? 0;
  const limit = Math.min(settings.max_length, context.base.config.maxPositionEmbeddings);
  let without = 0;
  let columns: readonly string[] = [];
  const convert = (row: Row): TokenRow | undefined => {
    const whole = withResponse(row);
    if (whole === undefined) {
      without++;
      if (without === 1) columns = Object.keys(row.columns);
      return undefined;
    }
    const tokens = tokenRow(whole, tokenizer, template, endId ?? 0);
    if (tokens.prompt.length >= limit)
      throw dataErrors.promptTooLong(placeOf(row) ?? dataName(settings.data), tokens.prompt.length, limit);
    return tokens;
  };
  const split = await splitRows(settings.data, settings.held_out, context, heldOutShare, taskRows, convert).catch(
    (error: unknown) => {
      // Rows there are, but none to learn from.
      const few = error instanceof ColaError && error.id === 'train.tooFewRows';
      throw few && without > 0 ? trainErrors.noResponses(dataName(settings.data), columns) : error;
    },
  );
  if (split.train.length === 0) throw trainErrors.noResponses(dataName(settings.data), columns);
  if (split.heldOut.length === 0) throw trainErrors.noResponses(dataName(settings.held_out ?? settings.data), columns);
  if (without > 0) context.say(`${dataName(settings.data)}: left out ${without} rows without a response`);
  const make = (of: readonly TokenRow[], rows: number) => new RowBatches(of, rows, limit, pad, context.seed);
  const steps = settings.steps ?? Math.max(1, Math.ceil((split.train.length * settings.epochs) / settings.batch));
  return { batches: make(split.train, cut.rows), heldOut: make(split.heldOut, cut.batch), steps, cut };
}

/** A row with something to learn: its response, or else the right answer. Undefined where it has neither. */
function withResponse(row: Row): Row | undefined {
  if (row.kind === 'text') return row.parts?.some((part) => part.learned) === false ? undefined : row;
  const answer = answerOf(row);
  if (row.kind === 'prompt') {
    if ((row.response ?? '') !== '') return row;
    return answer === undefined ? undefined : { ...row, response: answer };
  }
  if (row.messages.some(({ role, learned }) => role === 'assistant' && learned !== false)) return row;
  if (answer === undefined) return undefined;
  return { ...row, messages: [...row.messages, { role: 'assistant', content: answer }] };
}

/** @throws train.setting where the model has fewer blocks than are to be trained */
export function refuseBlocks(stage: string, blocks: number | undefined, { layers }: ModelConfig): void {
  if (blocks !== undefined && blocks > layers) throw trainErrors.setting(stage, 'blocks', `the model has ${layers}`);
}

/** Whose actions guide. */
const sourceOf = ({ variant }: Pick<GuideSettings, 'variant'>) => (variant === 'inverse' ? 'idm' : 'policy');
/** Whether the policy is cloned again behind it. */
const reclones = ({ variant, reclone }: GuideSettings) => variant === 'inverse' && reclone;

type Latent = { readonly config: ModelConfig; readonly cola: ColaConfig };

function inputs(graph: Graph, { config }: Latent, rows: number, length: number) {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const mask = graph.input('mask', 'float32', [rows, length]);
  const attention = causalContext(graph, config, rows, length);
  return { ids, mask, attention, h: hiddenStates(graph, config, ids, attention).h };
}

function guided(graph: Graph, latent: Latent, source: 'idm' | 'policy', rows: number, length: number): Objective {
  const { ids, mask, attention, h } = inputs(graph, latent, rows, length);
  const read = { h, ids, responseMask: mask, context: attention };
  return { loss: guideLoss({ graph, ...latent }, read, source).loss };
}

function recloned(graph: Graph, latent: Latent, rows: number, length: number): Objective {
  const { config, cola } = latent;
  const { mask, attention, h } = inputs(graph, latent, rows, length);
  const states = ops.stopGradient(h);
  const labels = ops.argmax(inverseDynamics(graph, config, cola, states, attention));
  const logits = headOn(graph, config, cola, 'policy', states, attention);
  return { loss: cloneLoss(logits, labels, ops.slice(mask, 1, 1, length)) };
}

/** @param shape its part is 1 where the policy is cloned again */
function learning(settings: GuideSettings, context: StageContext, { part, rows, length }: BatchShape): Learning {
  const { config } = context.base;
  const cola = colaOf(context, 'guide', allModules(modules(settings)));
  const latent = { config, cola: cola.config };
  const { checkpoint } = settings;
  if (part === 1) {
    const trained = cola.tensorsOf('policy').map(({ name }) => name);
    return { trained, checkpoint, objective: (graph) => recloned(graph, latent, rows, length) };
  }
  const trained = learned(config, settings).map(({ name }) => name);
  return { trained, checkpoint, objective: (graph) => guided(graph, latent, sourceOf(settings), rows, length) };
}

async function createGuide(settings: GuideSettings, context: StageContext): Promise<Stage> {
  refuseBlocks('guide', settings.blocks, context.base.config);
  const { batches, heldOut, steps, cut } = await rowData('guide', settings, context);
  const planOf = (part: number): SupervisedPlan => {
    const shape = { rows: cut.rows, length: batches.length, masked: true, part };
    return {
      name: 'guide',
      steps,
      accumulate: cut.parts,
      settings: part === 0 ? settings : { ...settings, learning_rate: settings.reclone_learning_rate },
      learning: learning(settings, context, shape),
      shape,
      measured: learning(settings, context, { ...shape, rows: cut.batch, length: heldOut.length }).objective,
      batches,
      heldOut: [...heldOut.inOrder(heldOutBatches)],
      metrics: () => ({}),
    };
  };
  const plans = (reclones(settings) ? [0, 1] : [0]).map(planOf);
  if (plans.length === 1) return SupervisedStage.create(context, plans[0]);
  const makers = plans.map((plan) => ({ steps, make: () => SupervisedStage.create(context, plan) }));
  const trained = plans.flatMap((plan) => plan.learning.trained);
  return SequenceStage.create('guide', makers, trained);
}

const modules = (settings: Pick<GuideSettings, 'variant'>): StageModules => ({
  needs: ['world', ...(sourceOf(settings) === 'idm' ? (['idm'] as const) : [])],
  makes: ['policy'],
});

export const guide: StageKind<GuideSettings> = {
  ...stages.guide,
  modules,
  learns: (settings, configs) => [
    ...learned(configs.config, settings),
    ...(reclones(settings) ? moduleWeights(configs.config, actionsOf(configs)).policy : []),
  ],
  parts: (settings, configs, length = settings.max_length) => {
    const latent = { ...configs, cola: actionsOf(configs) };
    const shape = { rows: microRows(settings), length, accumulate: settings.accumulate };
    const training = trainingPart({
      ...shape,
      checkpoint: settings.checkpoint,
      learns: learned(configs.config, settings),
      objective: (graph, rows, t) => guided(graph, latent, sourceOf(settings), rows, t),
      measured: (graph, rows, t) => measuredBy(guided(graph, latent, sourceOf(settings), rows, t)),
    });
    const cloning = trainingPart({
      ...shape,
      what: 'cloning',
      behind: true,
      learns: moduleWeights(latent.config, latent.cola).policy,
      objective: (graph, rows, t) => recloned(graph, latent, rows, t),
      measured: (graph, rows, t) => measuredBy(recloned(graph, latent, rows, t)),
    });
    return reclones(settings) ? [training, cloning] : [training];
  },
  create: createGuide,
  hire: hireFor(learning),
};
