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

/**
 * @param factors what the turns of each pair are divided by, where the file says so (`rope_freqs.weight`)
 * @returns `rope_scaling`; undefined for plain RoPE
 */
export function ropeScaling(
  metadata: Metadata,
  architecture: string,
  headDim: number,
  factors: Float32Array | undefined,
): Readonly<Record<string, unknown>> | undefined {
  const { file } = metadata;
  const key = (name: string) => `${architecture}.rope.${name}`;
  const turned = metadata.number(key('dimension_count')) ?? headDim;
  if (turned !== headDim) throw errors.feature(file, `RoPE on ${turned} of the ${headDim} dimensions of each head`);
  const theta = shortest(metadata.number(key('freq_base')) ?? 10000);
  const linear = metadata.number(key('scale_linear')) ?? 1;
  const type = metadata.text(key('scaling.type')) ?? (linear === 1 ? 'none' : 'linear');
  const factor = shortest(metadata.number(key('scaling.factor')) ?? linear);
  if (factors?.some((each) => each !== 1) === true) {
    if (type !== 'none') throw errors.feature(file, `RoPE that is scaled twice ("${type}" and "rope_freqs.weight")`);
    return llama3(headDim, theta, factors, file);
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
