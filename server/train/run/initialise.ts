/** Fresh weights: of a new base, and of the modules a stage needs and the model does not have yet. */
import type { ColaConfig, ModuleName } from '../../cola/config.ts';
import { moduleWeights, widthOf } from '../../cola/config.ts';
import { ColaModel } from '../../cola/model.ts';
import { size } from '../../graph/tensor.ts';
import { type ModelConfig, parseModelConfig } from '../../model/config/config.ts';
import { LanguageModel } from '../../model/language-model.ts';
import { loadTokenizer } from '../../model/tokenizer/tokenizer.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';
import { expectedTensors } from '../../model/weights/weights.ts';
import { Random } from '../../random.ts';
import { resolvePath } from '../../spec/paths.ts';
import type { NewModel, StageSpec } from '../../spec/schema.ts';
import { trainErrors } from '../errors.ts';
import { kindOf } from '../stages/index.ts';

function draw(shape: readonly number[], std: number, random: Random): Float32Array {
  return Float32Array.from({ length: size(shape) }, () => std * random.normal());
}

const isNorm = (name: string) => /norm\.weight$|layernorm\.weight$/.test(name);
/** Projections back into the residual stream start smaller, so that depth does not add up. */
const isOutput = (name: string) => /\.(o_proj|down_proj)\.weight$/.test(name);

/** The configuration of a new Llama with the tokenizer of a folder. @throws tokenizer.*, config.* */
export function newConfig(sizes: NewModel, specFile: string) {
  const folder = resolvePath(sizes.tokenizer, specFile);
  const tokenizer = loadTokenizer(folder);
  const endIds = [tokenizer.eosId, tokenizer.idOf('<|end|>')].filter((id) => id !== undefined);
  const json = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: tokenizer.vocabSize,
    hidden_size: sizes.hidden,
    intermediate_size: sizes.intermediate,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kv_heads ?? sizes.heads,
    hidden_act: 'silu',
    max_position_embeddings: sizes.context,
    rms_norm_eps: 1e-5,
    rope_theta: sizes.rope_theta,
    tie_word_embeddings: sizes.tied,
    initializer_range: 0.02,
    bos_token_id: tokenizer.bosId ?? null,
    eos_token_id: endIds,
    pad_token_id: tokenizer.padId ?? null,
    attention_bias: false,
    mlp_bias: false,
    torch_dtype: 'float32',
  };
  return { folder, tokenizer, json, config: parseModelConfig(json, specFile) };
}

/**
 * A new Llama with normal weights of 0.02 (outputs divided by sqrt(2 layers), as GPT-2 does) and the tokenizer of a folder.
 *
 * @throws tokenizer.*, config.*
 */
export function createBase(sizes: NewModel, specFile: string, seed: number): LanguageModel {
  const { folder, tokenizer, json, config } = newConfig(sizes, specFile);
  const random = new Random(seed);
  const weights = new Map<string, Float32Array>();
  for (const { name, shape } of expectedTensors(config)) {
    const std = isOutput(name) ? 0.02 / Math.sqrt(2 * config.layers) : 0.02;
    weights.set(name, isNorm(name) ? new Float32Array(size(shape)).fill(1) : draw(shape, std, random));
  }
  return new LanguageModel(folder, config, tokenizer, weights, { configJson: json });
}

/**
 * The modules that a stage trains and the model lacks, with fresh weights. Nothing happens where they are there already.
 * New linears have std sqrt(2 / 5d), outputs of blocks 1 / (sqrt(d) layers) (method of the paper's code); where modules are
 * narrower than the base, with their width in the place of d.
 *
 * @throws train.needs where the stage needs modules that only an earlier stage can make
 */
export function prepareModules(
  planned: StageSpec,
  base: LanguageModel,
  cola: ColaModel | undefined,
  seed: number,
): ColaModel | undefined {
  const kind = kindOf(planned);
  const modules = kind.modules(planned.settings);
  if (modules === undefined) return cola;
  const actions = kind.actions?.(planned.settings);
  const { width } = actions?.config ?? {};
  const { hiddenSize } = base.config;
  if (width !== undefined && width > hiddenSize)
    throw trainErrors.setting(planned.name, 'width', `the base is ${hiddenSize} wide, and its modules may be narrower`);
  const model = actions === undefined ? needed(planned.name, cola) : withActions(base, cola, actions.config);
  return withModules(model, modules.makes, seed, actions?.codebookStd);
}

/** The model itself if its latent actions have these sizes, to be trained on; otherwise one whose are to be made anew. */
function withActions(base: LanguageModel, cola: ColaModel | undefined, config: ColaConfig): ColaModel {
  return cola !== undefined && sameSizes(base.config, cola.config, config)
    ? cola
    : new ColaModel(base.folder, base, config, new Map(), {});
}

function needed(stage: string, cola: ColaModel | undefined): ColaModel {
  if (cola === undefined) throw trainErrors.needs(stage, 'latent actions: the model has none yet');
  return cola;
}

function sameSizes(base: ModelConfig, a: ColaConfig, b: ColaConfig): boolean {
  return (
    a.numCodes === b.numCodes &&
    a.idmLayers === b.idmLayers &&
    a.policyLayers === b.policyLayers &&
    a.mergeLayers === b.mergeLayers &&
    widthOf(base, a) === widthOf(base, b) &&
    a.worldResidual === b.worldResidual
  );
}

function withModules(cola: ColaModel, modules: readonly ModuleName[], seed: number, codebookStd = 1): ColaModel {
  const groups = moduleWeights(cola.base.config, cola.config);
  for (const module of modules) {
    if (cola.has(module)) continue;
    // Each module has a generator of its own, so that adding one does not change another.
    const random = new Random(seed + 7919 * (1 + Object.keys(groups).indexOf(module === 'q_target' ? 'q' : module)));
    for (const tensor of groups[module])
      cola.weights.set(tensor.name, fresh(tensor, cola, module, random, codebookStd));
  }
  return cola;
}

function fresh(
  { name, shape }: ExpectedTensor,
  cola: ColaModel,
  module: ModuleName,
  random: Random,
  codebookStd: number,
): Float32Array {
  const { hiddenSize: d, layers, normOffset } = cola.base.config;
  const w = widthOf(cola.base.config, cola.config);
  // A norm multiplies by 1 at first, its offset included.
  if (isNorm(name)) return new Float32Array(size(shape)).fill(1 - normOffset);
  if (name === 'codebook.weight') return draw(shape, codebookStd, random);
  if (module === 'value') return new Float32Array(size(shape));
  if (/^q(_target)?\.head/.test(name)) return draw(shape, 1 / (w + 1), random);
  if (isOutput(name) || name === 'merge.widen.weight') return draw(shape, 1 / (Math.sqrt(w) * layers), random);
  return draw(shape, Math.sqrt(2 / (5 * (name.endsWith('.narrow.weight') ? d : w))), random);
}
