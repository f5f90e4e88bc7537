/** What the stages of a spec take in memory: the same graphs as in training, without weights. */
import type { ColaConfig } from '../cola/config.ts';
import { moduleWeights } from '../cola/config.ts';
import { fusedStep } from '../cola/decoder.ts';
import { actionLogProbabilities, clippedLoss, cloneLoss, controlLoss, guideLoss, qLoss } from '../cola/losses.ts';
import { headOn, inverseDynamics } from '../cola/modules.ts';
import { logSoftmax } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { Graph, type Tensor } from '../graph/tensor.ts';
import { hiddenStates } from '../model/base.ts';
import { type AttentionContext, causalContext } from '../model/block.ts';
import type { ModelConfig } from '../model/config.ts';
import { decodeMemory, type Memory, memoryAt, pretrainMemory, trainMemory } from '../model/memory.ts';
import type { ExpectedTensor } from '../model/weights.ts';
import type { StageSpec } from '../spec/schema.ts';
import type { ExpertSettings } from '../spec/settings.ts';
import { lessonObjective } from '../train/lessons.ts';

/** Tokens that a prompt is taken to have where nothing says how long it is. */
export const assumedPrompt = 64;

export interface StageMemory {
  readonly what: string;
  readonly memory: Memory;
}

/** Sizes that replace those of the spec. */
export interface Sizes {
  readonly batch?: number;
  readonly length?: number;
}

interface Inputs {
  readonly graph: Graph;
  readonly ids: Tensor;
  readonly context: AttentionContext;
  /** Hidden states of the frozen base. */
  readonly h: () => Tensor;
  readonly input: (name: string, shape: readonly number[]) => Tensor;
  readonly actions: () => Tensor;
}

const namesOf = (tensors: readonly ExpectedTensor[]) => tensors.map(({ name }) => name);

/**
 * The most each part of a stage takes. Rollouts and updates do not happen at once, but the runtime keeps what it has.
 *
 * @param cola sizes of the latent actions; undefined for a base model
 */
export function stageMemory(
  stage: StageSpec,
  config: ModelConfig,
  cola: ColaConfig | undefined,
  sizes: Sizes,
): StageMemory[] {
  const accumulate = 'accumulate' in stage.settings ? stage.settings.accumulate : 1;
  const rows = (batch: number) => Math.max(1, Math.ceil((sizes.batch ?? batch) / accumulate));
  const training = (batch: number, length: number): StageMemory[] => {
    const memory = trainingMemory(stage, config, cola, rows(batch), sizes.length ?? length, accumulate);
    return memory === undefined ? [] : [{ what: `training ${rows(batch)} x ${sizes.length ?? length}`, memory }];
  };
  switch (stage.name) {
    case 'pretrain':
    case 'control':
    case 'clone':
      return training(stage.settings.batch, stage.settings.length);
    case 'guide':
      return training(stage.settings.batch, stage.settings.max_length);
    case 'reinforce':
    case 'tokens': {
      const { settings } = stage;
      if ('method' in settings && settings.method === 'supervised')
        return training(settings.batch, settings.max_length);
      const length = sizes.length ?? assumedPrompt + settings.max_new;
      const samples = (sizes.batch ?? settings.batch) * settings.group;
      const update = Math.ceil((settings.batch * settings.group) / settings.minibatches);
      return [rollouts(stage, config, cola, samples, length), ...training(update, length)];
    }
    case 'feedback':
      return training(stage.settings.batch, sizes.length ?? 2 * assumedPrompt);
    case 'expert': {
      const { settings } = stage;
      const length = sizes.length ?? assumedPrompt + settings.max_new;
      const update = Math.ceil(((sizes.batch ?? settings.batch) * settings.paths) / settings.minibatches);
      return [...searching(settings, config, cola, length), ...training(update, length)];
    }
    case 'q': {
      const { settings } = stage;
      const length = sizes.length ?? assumedPrompt + settings.max_new;
      const samples = (sizes.batch ?? settings.batch) * settings.group;
      return [rollouts(stage, config, cola, samples, length), ...training(settings.batch * settings.group, length)];
    }
  }
}

function rollouts(
  stage: StageSpec,
  config: ModelConfig,
  cola: ColaConfig | undefined,
  batch: number,
  length: number,
): StageMemory {
  const latent = stage.name !== 'tokens' && cola !== undefined;
  const options = latent
    ? {
        step: fusedStep(config, cola, { hidden: true }),
        added: [...moduleWeights(config, cola).policy, ...moduleWeights(config, cola).world],
      }
    : {};
  return { what: `rollouts ${batch} x ${length}`, memory: decodeMemory(config, batch, length, options) };
}

/** Rows in lockstep, and the keys that branches keep. */
function searching(
  settings: ExpertSettings,
  config: ModelConfig,
  cola: ColaConfig | undefined,
  length: number,
): StageMemory[] {
  if (cola === undefined) return [];
  const rows = Math.max(settings.breadth, settings.root_breadth ?? 1, settings.lockstep);
  const q = settings.edges === 'q';
  const modules = moduleWeights(config, cola);
  const memory = decodeMemory(config, rows, length, {
    step: fusedStep(config, cola, { hidden: true, preview: true, q }),
    added: [...modules.policy, ...modules.world, ...(q ? modules.q : [])],
  });
  const kept = settings.cache * 2 ** 20;
  const all = { ...memory, cache: memory.cache + kept, total: memory.total + kept };
  return [{ what: `search ${rows} x ${length}`, memory: all }];
}

/** Undefined for a stage that needs latent actions where there are none. */
function trainingMemory(
  stage: StageSpec,
  config: ModelConfig,
  cola: ColaConfig | undefined,
  batch: number,
  length: number,
  accumulate: number,
): Memory | undefined {
  if (stage.name === 'pretrain' || stage.name === 'tokens') return pretrainMemory(config, batch, length, accumulate);
  if (cola === undefined) return undefined;
  return memoryAt(batch, length, (b, t) => latentMemory(stage, config, cola, b, t, accumulate));
}

type LatentStage = Exclude<StageSpec, { name: 'pretrain' | 'tokens' }>;

function latentMemory(
  stage: LatentStage,
  config: ModelConfig,
  cola: ColaConfig,
  batch: number,
  length: number,
  accumulate: number,
): Memory {
  const modules = moduleWeights(config, cola);
  const inputs = inputsOf(config, batch, length);
  const { graph, ids, context, input } = inputs;
  switch (stage.name) {
    case 'control': {
      const gumbel = input('gumbel', [batch, length, cola.numCodes]);
      const { loss } = controlLoss(graph, config, cola, inputs.h(), ids, gumbel, context, stage.settings);
      return trainMemory(loss, namesOf([...modules.idm, ...modules.world]), accumulate);
    }
    case 'clone': {
      const h = inputs.h();
      const labels = ops.argmax(inverseDynamics(graph, config, cola, h, context));
      const loss = cloneLoss(headOn(graph, config, cola, 'policy', h, context), labels);
      return trainMemory(loss, namesOf(modules.policy), accumulate);
    }
    case 'guide': {
      const { h } = hiddenStates(graph, config, ids, context);
      const source = stage.settings.variant === 'inverse' ? 'idm' : 'policy';
      const { loss } = guideLoss(graph, config, cola, h, ids, input('mask', [batch, length]), context, source);
      const base = [...graph.parameters.keys()].filter(
        (name) => name.startsWith('model.') || name.startsWith('lm_head'),
      );
      return trainMemory(loss, base, accumulate);
    }
    case 'feedback': {
      const all = logSoftmax(
        headOn(graph, config, cola, 'policy', input('h', [batch, length, config.hiddenSize]), context),
      );
      const reference = input('reference', [batch, length, cola.numCodes]);
      const loss = ops.sum(ops.mul(ops.exp(all), ops.sub(all, reference)));
      return trainMemory(loss, namesOf(modules.policy), accumulate);
    }
    case 'reinforce': {
      // The update reads h of the rollout and runs the policy alone.
      const h = input('h', [batch, length, config.hiddenSize]);
      const logits = headOn(graph, config, cola, 'policy', h, context);
      const logp = actionLogProbabilities(logits, inputs.actions(), stage.settings.temperature);
      const row = (name: string) => input(name, [batch, length]);
      const loss = clippedLoss(logp, row('logp_old'), row('advantages'), row('mask'), stage.settings.clip_ratio);
      return trainMemory(loss, namesOf(modules.policy), accumulate);
    }
    case 'expert': {
      const { value_weight: value, q_weight: q } = stage.settings;
      const { loss } = lessonObjective(graph, config, cola, { rows: batch, length }, { value, q });
      const learning = [...modules.policy, ...(value > 0 ? modules.value : []), ...(q > 0 ? modules.q : [])];
      return trainMemory(loss, namesOf(learning), accumulate);
    }
    case 'q': {
      const h = input('h', [batch, length, config.hiddenSize]);
      const q = headOn(graph, config, cola, 'q', h, context);
      const target = headOn(graph, config, cola, 'q_target', h, context);
      const row = (name: string) => input(name, [batch, length]);
      const { loss } = qLoss(q, target, inputs.actions(), row('rewards'), row('mask'), stage.settings.gamma);
      return trainMemory(loss, namesOf(modules.q), accumulate);
    }
  }
}

function inputsOf(config: ModelConfig, batch: number, length: number): Inputs {
  const graph = new Graph();
  const ids = graph.input('ids', 'int32', [batch, length]);
  const context = causalContext(graph, config, batch, length);
  return {
    graph,
    ids,
    context,
    h: () => ops.stopGradient(hiddenStates(graph, config, ids, context).h),
    input: (name, shape) => graph.input(name, 'float32', shape),
    actions: () => graph.input('actions', 'int32', [batch, length]),
  };
}
