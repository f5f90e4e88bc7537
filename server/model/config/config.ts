/**
 * The configuration of a base model: Hugging Face's config.json, checked and brought to one form. Keys of transformers
 * 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`) are read alike. What is not supported is refused by name;
 * nothing that changes the numbers is ignored.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { firstIssue } from '../../schemas/first-issue.ts';
import type { Adapters } from '../adapter/adapter.ts';
import { adapterBase, readAdapter } from '../adapter/peft.ts';
import { configErrors as errors } from '../errors.ts';
import type { Family } from '../families/family.ts';
import { families } from '../families/index.ts';
import { isAdapter, locateModel, refuseFolder } from '../folder.ts';
import { CONFIG_BYTES, parseModelJson, readModelText } from '../json.ts';
import { longestFor, parseRope, type RopeConfig, rotaryWidth } from '../rope.ts';
import { architectureKind } from './architecture.ts';
import { configSchema, type RawConfig, tokenIds } from './schema.ts';

/** What stands on the blocks of a model: the head that predicts tokens, or one that gives a whole text a score (see `scores.ts`). */
export type ModelForm = 'language' | 'scores';

/** Layers that attend to a few tokens before each alone, and to those in other angles where that is so. */
export interface SlidingLayers {
  /** Positions that a token sees, its own among them. */
  readonly window: number;
  /** Indices of the layers, ascending. */
  readonly layers: readonly number[];
  /** Their rotary embedding, where it is not that of the others. */
  readonly rope?: RopeConfig;
}

/** A decoder-only language model with RMSNorm, RoPE, grouped-query attention and a gated feed-forward. */
export interface ModelConfig {
  /** `model_type` of its record in `families/`. */
  readonly family: string;
  /** V */
  readonly vocabSize: number;
  /** d */
  readonly hiddenSize: number;
  /** f, width of the feed-forward */
  readonly intermediateSize: number;
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key/value heads; divides `heads`. */
  readonly kvHeads: number;
  /** D; even. Not always d / heads. */
  readonly headDim: number;
  readonly rmsNormEps: number;
  /** The output head is the embedding matrix. */
  readonly tieWordEmbeddings: boolean;
  /** q_proj, k_proj and v_proj have a bias. */
  readonly attentionBias: boolean;
  /** o_proj has a bias. */
  readonly attentionOutputBias: boolean;
  /** gate_proj, up_proj and down_proj have a bias. */
  readonly mlpBias: boolean;
  /** RMSNorm over D on every query and key head, before RoPE. */
  readonly qkNorm: boolean;
  /** Layers of the base whose queries and keys are not turned by their position. */
  readonly unrotatedLayers: readonly number[];
  /** What an RMSNorm multiplies by is this plus its weight: 1 in Gemma. */
  readonly normOffset: 0 | 1;
  /** RMSNorm also behind the attention and behind the feed-forward, before they are added. */
  readonly outputNorms: boolean;
  /** Of the gate of the feed-forward; GELU in its form with tanh. */
  readonly activation: 'silu' | 'gelu';
  /** Queries, keys and values are one projection, gate and up another. */
  readonly joined: boolean;
  /** Embeddings are multiplied by it. */
  readonly embeddingScale: number;
  /** Scores of queries and keys are divided by its square root; D, if null. */
  readonly queryScale: number | null;
  /** Scores are kept between -c and c by c tanh(s / c). */
  readonly scoreCap: number | null;
  /** And so are the logits of tokens. */
  readonly logitCap: number | null;
  readonly rope: RopeConfig;
  /** Layers of the base that see a window; null where none does before the longest sequence is over. */
  readonly sliding: SlidingLayers | null;
  /** Longest sequence the model is meant for, in tokens. */
  readonly maxPositionEmbeddings: number;
  readonly bosTokenId: number | null;
  /** Any of these ends a generation; may be empty. */
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | null;
  /** Standard deviation of freshly drawn weights. */
  readonly initializerRange: number;
  /** What an adapter puts beside linear layers of the base, which is frozen then; undefined where there is none. */
  readonly adapters?: Adapters;
}

const kindSchema = z.looseObject({
  model_type: z.string().nullish(),
  architectures: z.array(z.string()).nullish(),
});

const generationSchema = z.looseObject({ eos_token_id: tokenIds });

/**
 * Checks a parsed config.json.
 *
 * @param json what JSON.parse returned
 * @param file name for messages
 * @throws ColaError config.architecture, feature or value, naming the key
 */
export function parseModelConfig(json: unknown, file: string, form: ModelForm = 'language'): ModelConfig {
  const family = parseFamily(json, file, form);
  const raw = parse(configSchema, json, file);
  if (form === 'scores') refuseLabels(raw, file);
  refuseUnsupported(raw, family, file);

  const { defaults } = family;
  const heads = raw.num_attention_heads;
  const kvHeads = raw.num_key_value_heads ?? (raw.num_key_value_heads === null ? heads : (defaults.kvHeads ?? heads));
  if (heads % kvHeads !== 0) {
    throw errors.value(file, 'num_key_value_heads', `${kvHeads} does not divide the ${heads} attention heads`);
  }
  const headDim = raw.head_dim ?? (raw.head_dim === null ? null : defaults.headDim) ?? raw.hidden_size / heads;
  if (!Number.isInteger(headDim)) {
    throw errors.value(file, 'hidden_size', `${raw.hidden_size} is not a multiple of the ${heads} attention heads`);
  }
  if (headDim % 2 !== 0) throw errors.value(file, 'head_dim', `${headDim} is odd, and RoPE turns pairs of dimensions`);

  const [rope, slidingRope] = parseRopes(raw, family, file);
  const longest = raw.max_position_embeddings ?? defaults.maxPositions;
  const maxPositionEmbeddings = longestFor(rope, longest);
  if (rope.type === 'longrope' && rope.factors.length !== rotaryWidth({ headDim, rope }) / 2)
    throw errors.value(
      file,
      'rope_scaling.short_factor',
      `it has ${rope.factors.length} factors for heads of ${headDim}`,
    );
  return {
    family: family.type,
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    rmsNormEps: raw.rms_norm_eps ?? defaults.eps ?? 1e-6,
    // A model without a head for tokens has nothing that could be untied.
    tieWordEmbeddings: form === 'scores' || (raw.tie_word_embeddings ?? defaults.tied),
    ...family.block(raw, file),
    rope,
    sliding: slidingLayers(raw, family, maxPositionEmbeddings, file, slidingRope),
    maxPositionEmbeddings,
    bosTokenId: optionalId(raw.bos_token_id, defaults.bos, 'bos_token_id', raw.vocab_size, file),
    eosTokenIds: idList(raw.eos_token_id === undefined ? defaults.eos : raw.eos_token_id, raw.vocab_size, file),
    padTokenId: optionalId(raw.pad_token_id, null, 'pad_token_id', raw.vocab_size, file),
    initializerRange: raw.initializer_range ?? 0.02,
  };
}

/**
 * Reads the configuration of a model folder: config.json, and generation_config.json where there is one. Every
 * end-of-sequence token that either file names ends a generation; in transformers only those of the second do, of which
 * there are reports of answers without end.
 *
 * Of an adapter it is the configuration of its base, with what the adapter puts beside which layers.
 *
 * @param path the folder, or what {@link locateModel} finds it by
 * @param base the folder of the base of an adapter, where its configuration does not say
 * @throws ColaError config.*, adapter.*, and folder.* which says what is there instead
 */
export async function loadModelConfig(path: string, form: ModelForm = 'language', base?: string): Promise<ModelConfig> {
  const folder = locateModel(path);
  if (isAdapter(folder)) {
    const config = await loadModelConfig(adapterBase(folder, base), form);
    return { ...config, adapters: readAdapter(folder, config).adapters };
  }
  const file = join(folder, 'config.json');
  const text = readModelText(file, CONFIG_BYTES);
  if (text === undefined) {
    refuseFolder(folder);
    if (!existsSync(folder)) throw errors.noModel(folder);
    throw errors.cannotRead(file, new Error('there is no such file'));
  }
  const json = parseModelJson(text, file);
  const config = parseModelConfig(json, file, form);
  // Where config.json names none, what stands in for it is a guess that generation_config.json corrects.
  const named = parse(configSchema, json, file).eos_token_id !== undefined;
  const generationFile = join(folder, 'generation_config.json');
  const further = readModelText(generationFile, CONFIG_BYTES);
  if (further === undefined) return config;
  const generation = applyGenerationConfig(config, parseModelJson(further, generationFile), generationFile);
  if (!named) return generation;
  return { ...generation, eosTokenIds: [...new Set([...config.eosTokenIds, ...generation.eosTokenIds])] };
}

/**
 * @param json a parsed generation_config.json
 * @returns the configuration with the end-of-sequence tokens that the file names, if it names any
 * @throws ColaError config.value
 */
export function applyGenerationConfig(config: ModelConfig, json: unknown, file: string): ModelConfig {
  const { eos_token_id } = parse(generationSchema, json, file);
  return eos_token_id == null ? config : { ...config, eosTokenIds: idList(eos_token_id, config.vocabSize, file) };
}

/** The name that transformers gives a model of the family in this form. */
export const architectureOf = ({ architecture }: Family, form: ModelForm): string =>
  form === 'language' ? architecture : architecture.replace(/ForCausalLM$/, 'ForSequenceClassification');

/** One number is a score; several are classes. */
function refuseLabels(raw: RawConfig, file: string): void {
  const named =
    typeof raw.id2label === 'object' && raw.id2label !== null ? Object.keys(raw.id2label).length : undefined;
  const labels = typeof raw.num_labels === 'number' ? raw.num_labels : named;
  if (labels !== undefined && labels !== 1) throw errors.labels(file, labels);
}

function parseFamily(json: unknown, file: string, form: ModelForm): Family {
  const { model_type, architectures } = parse(kindSchema, json, file);
  const byType = families.find(({ type }) => type === model_type);
  if (model_type != null && byType === undefined)
    throw errors.architecture(file, model_type, architectureKind([model_type, ...(architectures ?? [])]));
  if (
    form === 'scores' &&
    !(architectures ?? []).some((name) => families.some((f) => architectureOf(f, form) === name))
  )
    throw errors.noScores(file, architectures?.join(', ') || (model_type ?? 'unknown'));
  if (architectures == null || architectures.length === 0) {
    if (byType === undefined) throw errors.value(file, 'model_type', 'it is missing');
    return byType;
  }
  const byArchitecture = families.find((family) => architectures.includes(architectureOf(family, form)));
  if (byArchitecture === undefined || (byType !== undefined && byType !== byArchitecture)) {
    throw errors.architecture(file, architectures.join(', '), architectureKind(architectures));
  }
  return byArchitecture;
}

/** Features that other models of these families' shape have, by the key that turns them on. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  attn_logit_softcapping: 'softcapping of the attention logits',
  final_logit_softcapping: 'softcapping of the output logits',
  num_experts: 'a mixture of experts',
  num_local_experts: 'a mixture of experts',
  n_routed_experts: 'a mixture of experts',
  kv_lora_rank: 'latent attention (MLA)',
  no_rope_layers: 'layers without RoPE',
};

function refuseUnsupported(raw: RawConfig, family: Family, file: string): void {
  for (const [key, feature] of Object.entries(UNSUPPORTED)) {
    if (raw[key] !== undefined && raw[key] !== null && !family.reads.includes(key))
      throw errors.feature(file, `${feature} ("${key}")`);
  }
  refuseQuantised(raw, file);
  const activation = raw.hidden_act ?? 'silu';
  if (activation !== 'silu' && !family.reads.includes('hidden_act'))
    throw errors.feature(file, `the activation function "${activation}" ("hidden_act")`);
  const layerType = raw.layer_types?.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (layerType !== undefined) throw errors.feature(file, `layers of the type "${layerType}" ("layer_types")`);
}

/** Tools write how they quantised under `quantization_config`, those of MLX under `quantization`. */
const quantisedSchema = z.looseObject({
  quant_method: z.string().nullish(),
  bits: z.number().nullish(),
  /** Of compressed-tensors. */
  format: z.string().nullish(),
  /** Of bitsandbytes. */
  load_in_4bit: z.boolean().nullish(),
  load_in_8bit: z.boolean().nullish(),
});

function refuseQuantised(raw: RawConfig, file: string): void {
  for (const key of ['quantization_config', 'quantization']) {
    if (raw[key] === undefined || raw[key] === null) continue;
    const { quant_method, format, load_in_4bit, load_in_8bit, ...found } =
      quantisedSchema.safeParse(raw[key]).data ?? {};
    const bits = found.bits ?? (load_in_4bit === true ? 4 : load_in_8bit === true ? 8 : undefined);
    const method = quant_method ?? (key === 'quantization' ? 'MLX' : undefined);
    const how = [method, format, bits === undefined ? undefined : `${bits} bits`]
      .filter((part) => part != null)
      .join(', ');
    throw errors.quantised(file, `${how === '' ? '' : `${how}; `}"${key}"`);
  }
}

/** The rotary embedding of a model, and that of its sliding layers where it is another. @throws config.feature, config.value */
function parseRopes(raw: RawConfig, family: Family, file: string): readonly [RopeConfig, RopeConfig?] {
  const partial = family.reads.includes('partial_rotary_factor');
  const [full, sliding] = family.ropes?.(raw, file) ?? [raw];
  const rope = parseRope(full, file, family.defaults.theta, partial);
  return sliding === undefined ? [rope] : [rope, parseRope(sliding, file)];
}

/** Which layers slide, and how far they see. A window that no sequence can leave changes nothing. */
function slidingLayers(
  raw: RawConfig,
  family: Family,
  positions: number,
  file: string,
  rope: RopeConfig | undefined,
): SlidingLayers | null {
  const sliding = family.sliding(raw);
  if (sliding === null || sliding.layers.length === 0) return null;
  if (raw.layer_types != null && raw.layer_types.length !== raw.num_hidden_layers)
    throw errors.value(file, 'layer_types', `it names ${raw.layer_types.length} of ${raw.num_hidden_layers} layers`);
  if (rope !== undefined) return { ...sliding, rope };
  return sliding.window < positions ? sliding : null;
}

function optionalId(
  found: number | null | undefined,
  fallback: number | null,
  key: string,
  vocabSize: number,
  file: string,
): number | null {
  const id = found === undefined ? fallback : found;
  // Some published models write -1 where they mean none.
  if (id === null || id === -1) return null;
  return checkedId(id, key, vocabSize, file);
}

function idList(found: number | readonly number[] | null, vocabSize: number, file: string): number[] {
  const ids = found === null ? [] : typeof found === 'number' ? [found] : found;
  return [...new Set(ids)].filter((id) => id !== -1).map((id) => checkedId(id, 'eos_token_id', vocabSize, file));
}

function checkedId(id: number, key: string, vocabSize: number, file: string): number {
  if (id < 0 || id >= vocabSize) throw errors.value(file, key, `${id} is not among the ${vocabSize} tokens`);
  return id;
}

function parse<T extends z.ZodType>(schema: T, json: unknown, file: string): z.infer<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, detail } = firstIssue(parsed.error);
  throw errors.value(file, path, detail);
}
