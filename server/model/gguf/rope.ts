/** RoPE in a GGUF file: the keys of config.json that it stands for. */
import { ropeInverseFrequencies } from '../rope.ts';
import { ggufErrors as errors } from './errors.ts';
import type { Metadata } from './metadata.ts';

/** The shortest decimal number that is the same in float32: 1e-5, where the file has 9.99999974737875e-6. */
export function shortest(value: number): number {
  const single = Math.fround(value);
  for (let digits = 1; digits < 10; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return value;
}

/** What the turns of each pair are divided by, where a file says so. */
export interface RopeFactors {
  /** In all texts. */
  readonly all?: Float32Array;
  /** In those up to the length that the model was made from, and in longer ones. */
  readonly short?: Float32Array;
  readonly long?: Float32Array;
}

/** Where a file has {@link RopeFactors}. */
export const factorTensors: ReadonlyMap<string, keyof RopeFactors> = new Map([
  ['rope_freqs.weight', 'all'],
  ['rope_factors_short.weight', 'short'],
  ['rope_factors_long.weight', 'long'],
]);

type Json = Readonly<Record<string, unknown>>;

/** The keys of config.json. @throws gguf.feature, gguf.value */
export function ropeKeys(metadata: Metadata, architecture: string, headDim: number, factors: RopeFactors): Json {
  const { file } = metadata;
  const key = (name: string) => `${architecture}.rope.${name}`;
  const turned = metadata.number(key('dimension_count')) ?? headDim;
  if (turned !== headDim && architecture !== 'phi3')
    throw errors.feature(file, `RoPE on ${turned} of the ${headDim} dimensions of each head`);
  const original = metadata.number(key('scaling.original_context_length'));
  return {
    // Ollama has names of its own for the two of Gemma 3.
    rope_theta: thetaOf(metadata, [key('freq_base'), key('global.freq_base')]),
    rope_scaling: ropeScaling(metadata, architecture, turned, factors) ?? null,
    ...(turned === headDim ? {} : { partial_rotary_factor: turned / headDim }),
    ...(architecture === 'gemma3'
      ? { rope_local_base_freq: thetaOf(metadata, [key('freq_base_swa'), key('local.freq_base')]) }
      : {}),
    ...(architecture === 'phi3' && original !== undefined ? { original_max_position_embeddings: original } : {}),
  };
}

function thetaOf(metadata: Metadata, keys: readonly string[]): number {
  const found = keys.map((key) => metadata.number(key)).find((theta) => theta !== undefined);
  return shortest(found ?? 10000);
}

/** @returns `rope_scaling`; undefined for plain RoPE */
function ropeScaling(
  metadata: Metadata,
  architecture: string,
  turned: number,
  { all, short, long }: RopeFactors,
): Json | undefined {
  const { file } = metadata;
  const key = (name: string) => `${architecture}.rope.${name}`;
  const linear = metadata.number(key('scale_linear')) ?? 1;
  const type = metadata.text(key('scaling.type')) ?? (linear === 1 ? 'none' : 'linear');
  const factor = shortest(metadata.number(key('scaling.factor')) ?? linear);
  if (short !== undefined) {
    if (type !== 'none' && type !== 'longrope')
      throw errors.feature(file, `RoPE that is scaled twice ("${type}" and "rope_factors_short.weight")`);
    return longrope(metadata, architecture, short, long);
  }
  // Who asks for the shape alone, such as a list of models, has read no factors.
  if (type === 'longrope' && metadata.header.tensors.some(({ name }) => factorTensors.get(name) === 'short'))
    return undefined;
  if (all?.some((each) => each !== 1) === true) {
    if (type !== 'none') throw errors.feature(file, `RoPE that is scaled twice ("${type}" and "rope_freqs.weight")`);
    return llama3(turned, thetaOf(metadata, [key('freq_base')]), all, file);
  }
  if (type === 'none') return undefined;
  if (type === 'linear') return { rope_type: 'linear', factor };
  if (type !== 'yarn') throw errors.feature(file, `RoPE of the type "${type}"`);
  for (const name of ['scaling.attn_factor', 'scaling.yarn_attn_factor', 'scaling.yarn_ext_factor']) {
    if ((metadata.number(key(name)) ?? 1) !== 1) throw errors.feature(file, `YaRN with "${key(name)}"`);
  }
  return {
    rope_type: 'yarn',
    factor,
    original_max_position_embeddings: metadata.requiredNumber(key('scaling.original_context_length')),
    beta_fast: metadata.number(key('scaling.yarn_beta_fast')),
    beta_slow: metadata.number(key('scaling.yarn_beta_slow')),
  };
}

/** What transformers multiplies cosines and sines by where config.json does not say it. */
export function longropeScale(positions: number, original: number): number {
  return positions <= original ? 1 : Math.sqrt(1 + Math.log(positions / original) / Math.log(original));
}

function longrope(metadata: Metadata, architecture: string, short: Float32Array, long: Float32Array | undefined): Json {
  const original = metadata.requiredNumber(`${architecture}.rope.scaling.original_context_length`);
  const usual = longropeScale(metadata.requiredNumber(`${architecture}.context_length`), original);
  const scale = shortest(metadata.number(`${architecture}.rope.scaling.attn_factor`) ?? 1);
  const list = (factors: Float32Array) => Array.from(factors, shortest);
  return {
    type: 'longrope',
    short_factor: list(short),
    ...(long === undefined ? {} : { long_factor: list(long) }),
    // Some versions of transformers want no more keys than these.
    ...(Math.fround(usual) === Math.fround(scale) ? {} : { attention_factor: scale }),
    ...(architecture === 'phi3' ? {} : { original_max_position_embeddings: original }),
  };
}

/**
 * Llama 3.1 and later: a file has the factors alone, so the settings that give them are looked for among those that published
 * models have.
 */
function llama3(
  headDim: number,
  theta: number,
  factors: Float32Array,
  file: string,
): Readonly<Record<string, unknown>> {
  const factor = shortest(factors.reduce((most, each) => Math.max(most, each), 1));
  for (const original of [8192, 4096, 16384, 2048, 32768]) {
    const settings = { factor, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: original };
    const found = llama3Factors(headDim, { type: 'llama3', theta, ...settings });
    if (factors.length === found.length && found.every((each, i) => Math.abs(each / factors[i] - 1) < 1e-5))
      return {
        rope_type: 'llama3',
        factor,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: original,
      };
  }
  throw errors.feature(file, 'RoPE whose turns are divided by factors of its own ("rope_freqs.weight")');
}

type Llama3 = Parameters<typeof ropeInverseFrequencies>[0]['rope'] & { readonly type: 'llama3' };

/** What llama.cpp divides the turns of each pair by. */
export function llama3Factors(headDim: number, rope: Llama3): Float32Array {
  const plain = ropeInverseFrequencies({ headDim, rope: { type: 'default', theta: rope.theta } });
  return ropeInverseFrequencies({ headDim, rope }).map((frequency, i) => plain[i] / frequency);
}
