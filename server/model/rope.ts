/** Rotary position embedding: its parameters in config.json and the frequencies they stand for (arXiv 2104.09864). */
import { z } from 'zod';
import { firstIssue } from '../schemas/first-issue.ts';
import { configErrors as errors } from './errors.ts';

/** How fast the pairs of dimensions turn with the position. */
export type RopeConfig = RopeKind & {
  /** Share of each head that turns, its first dimensions; all, if not given. */
  readonly partial?: number;
};

type RopeKind =
  | { readonly type: 'default'; readonly theta: number }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly theta: number;
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | {
      /** YaRN (arXiv 2309.00071). */
      readonly type: 'yarn';
      readonly theta: number;
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly originalMaxPositionEmbeddings: number;
      /** Whether the bounds between which frequencies are blended are whole dimensions. */
      readonly truncate: boolean;
      /** Cosines and sines are multiplied by it. */
      readonly attentionFactor: number;
    }
  | {
      /** LongRoPE (arXiv 2402.13753) within the length that it was made from. Longer texts turn by other factors from their first token on. */
      readonly type: 'longrope';
      readonly theta: number;
      /** What each frequency is divided by, `[R/2]`. */
      readonly factors: readonly number[];
      /** By what those of longer texts are, and how long the longest is, where that is known. */
      readonly long?: { readonly factors: readonly number[]; readonly positions: number };
      readonly originalMaxPositionEmbeddings: number;
      /** Cosines and sines are multiplied by it. */
      readonly attentionFactor: number;
    };

const positive = z.number().positive();

/** The keys of longrope that hold a number for each frequency. */
const factorLists: readonly string[] = ['short_factor', 'long_factor'];

const scalingSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.number().nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  attention_factor: positive.nullish(),
  short_factor: z.array(positive).max(4096).nullish(),
  long_factor: z.array(positive).max(4096).nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
});

const ropeSchema = z.looseObject({
  rope_theta: positive.nullish(),
  rope_scaling: scalingSchema.nullish(),
  rope_parameters: scalingSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
  max_position_embeddings: positive.nullish(),
  original_max_position_embeddings: positive.nullish(),
});

type Scaling = z.infer<typeof scalingSchema>;

/**
 * Reads the parameters from config.json, from the keys of transformers 4 or 5. Where both are there they must agree.
 *
 * @param fallback theta where none is given
 * @param partial whether a part of each head may turn alone
 * @throws ColaError config.feature for other kinds of RoPE, config.value for contradictions and wrong values
 */
export function parseRope(json: unknown, file: string, fallback = DEFAULT_THETA, partial = false): RopeConfig {
  const parsed = ropeSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw errors.value(file, path, detail);
  }
  const raw = parsed.data;
  const key = raw.rope_parameters == null ? 'rope_scaling' : 'rope_parameters';
  const both = [raw.rope_parameters, raw.rope_scaling].filter((scaling) => scaling != null);
  const [first, second] = both.map((scaling) => interpret(scaling, raw, fallback, file, key));
  if (first !== undefined && second !== undefined && JSON.stringify(first) !== JSON.stringify(second)) {
    throw errors.value(file, 'rope_parameters', 'it contradicts "rope_scaling"');
  }
  const shares = [raw, ...both].map((part) => part.partial_rotary_factor ?? 1).filter((share) => share !== 1);
  for (const share of shares) {
    if (!partial) throw errors.feature(file, `RoPE on a part of each head ("partial_rotary_factor" ${share})`);
    if (share <= 0 || share > 1) throw errors.value(file, 'partial_rotary_factor', 'it is no share of a head');
  }
  const rope: RopeConfig = first ?? { type: 'default', theta: raw.rope_theta ?? fallback };
  return shares.length === 0 ? rope : { ...rope, partial: shares[0] };
}

/** The longest sequence that these angles hold for. */
export function longestFor(rope: RopeConfig, positions: number): number {
  return rope.type === 'longrope' ? Math.min(positions, rope.originalMaxPositionEmbeddings) : positions;
}

/** R: the first dimensions of each head, which turn. Even. */
export function rotaryWidth({ headDim, rope }: { readonly headDim: number; readonly rope: RopeConfig }): number {
  return 2 * Math.floor((headDim * (rope.partial ?? 1)) / 2);
}

/**
 * The angle by which each pair of dimensions turns per position, in radians, computed in float32 step by step as
 * transformers does (PyTorch divides a number by a tensor by way of the reciprocal).
 *
 * @param config the part of a ModelConfig that matters
 * @returns `[R/2]`
 */
export function ropeInverseFrequencies(config: { readonly headDim: number; readonly rope: RopeConfig }): Float32Array {
  const { rope } = config;
  const width = rotaryWidth(config);
  const f = Math.fround;
  return Float32Array.from({ length: width / 2 }, (_, i) => {
    const power = f(f(rope.theta) ** f((2 * i) / width));
    const frequency = f(1 / power);
    switch (rope.type) {
      case 'default':
        return frequency;
      case 'linear':
        return frequency / f(rope.factor);
      case 'llama3': {
        // Long waves are stretched by the factor, short ones kept, and those between are blended (Llama 3.1).
        const original = rope.originalMaxPositionEmbeddings;
        const wavelength = f(f(1 / frequency) * f(2 * Math.PI));
        const stretched = f(frequency / f(rope.factor));
        if (wavelength > f(original / rope.lowFreqFactor)) return stretched;
        if (wavelength < f(original / rope.highFreqFactor)) return frequency;
        const range = f(rope.highFreqFactor - rope.lowFreqFactor);
        const smooth = f(f(f(f(1 / wavelength) * original) - f(rope.lowFreqFactor)) / range);
        return f(f(f(f(1 - smooth) * frequency) / f(rope.factor)) + f(smooth * frequency));
      }
      case 'yarn': {
        const [low, high] = yarnBounds(width, rope);
        const ramp = f(f(i - f(low)) / f(low === high ? 0.001 : high - low));
        const kept = f(1 - Math.min(1, Math.max(0, ramp)));
        const stretched = f(1 / f(f(rope.factor) * power));
        return f(f(stretched * f(1 - kept)) + f(frequency * kept));
      }
      case 'longrope':
        return f(1 / f(f(rope.factors[i]) * power));
    }
  });
}

/** How much larger scores are to be where positions are squeezed by a factor, as its square root for queries and for keys. */
function yarnScale(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

/** The dimensions between which YaRN goes over from kept frequencies to stretched ones. */
function yarnBounds(headDim: number, rope: Extract<RopeConfig, { type: 'yarn' }>): [low: number, high: number] {
  const dimension = (rotations: number) =>
    (headDim * Math.log(rope.originalMaxPositionEmbeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  const [low, high] = [dimension(rope.betaFast), dimension(rope.betaSlow)];
  const whole = rope.truncate ? [Math.floor(low), Math.ceil(high)] : [low, high];
  return [Math.max(whole[0], 0), Math.min(whole[1], headDim - 1)];
}

/** What cosines and sines are multiplied by. */
export function ropeAmplitude(rope: RopeConfig): number {
  return rope.type === 'yarn' || rope.type === 'longrope' ? rope.attentionFactor : 1;
}

/** What transformers takes where no base is given. */
const DEFAULT_THETA = 10000;

function interpret(
  scaling: Scaling,
  outer: z.infer<typeof ropeSchema>,
  fallback: number,
  file: string,
  key: string,
): RopeConfig {
  const outerTheta = outer.rope_theta ?? null;
  const positions = outer.max_position_embeddings ?? null;
  const nested = Object.entries(scaling).find(
    ([name, value]) => typeof value === 'object' && value !== null && !factorLists.includes(name),
  );
  if (nested !== undefined)
    throw errors.feature(file, `RoPE that differs between layers or dimensions ("${nested[0]}")`);
  const theta = scaling.rope_theta ?? outerTheta ?? fallback;
  if (outerTheta !== null && theta !== outerTheta) {
    throw errors.value(file, 'rope_theta', `${outerTheta} contradicts the ${theta} in "${key}"`);
  }
  const needed = (name: keyof Scaling & string): number => {
    const value = scaling[name];
    if (typeof value !== 'number') throw errors.value(file, `${key}.${name}`, 'it is missing');
    return value;
  };
  const named = scaling.rope_type ?? scaling.type ?? 'default';
  // Early files of Phi-3 call longrope by the name of YaRN, which has no factors for each frequency.
  const type = named === 'yarn' && scaling.short_factor != null ? 'longrope' : named;
  switch (type) {
    case 'default':
      return { type, theta };
    case 'linear':
      return { type, theta, factor: needed('factor') };
    case 'llama3': {
      const lowFreqFactor = needed('low_freq_factor');
      const highFreqFactor = needed('high_freq_factor');
      if (highFreqFactor <= lowFreqFactor) {
        throw errors.value(file, `${key}.high_freq_factor`, 'it is not above "low_freq_factor"');
      }
      const originalMaxPositionEmbeddings = needed('original_max_position_embeddings');
      return { type, theta, factor: needed('factor'), lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings };
    }
    case 'yarn': {
      const factor = needed('factor');
      const { mscale, mscale_all_dim: all } = scaling;
      const attentionFactor =
        scaling.attention_factor ??
        (mscale && all ? yarnScale(factor, mscale) / yarnScale(factor, all) : yarnScale(factor, 1));
      return {
        type,
        theta,
        factor,
        betaFast: scaling.beta_fast ?? 32,
        betaSlow: scaling.beta_slow ?? 1,
        originalMaxPositionEmbeddings:
          scaling.original_max_position_embeddings ?? positions ?? needed('original_max_position_embeddings'),
        truncate: scaling.truncate ?? true,
        attentionFactor,
      };
    }
    case 'longrope':
    case 'su': {
      const originalMaxPositionEmbeddings =
        outer.original_max_position_embeddings ??
        scaling.original_max_position_embeddings ??
        needed('original_max_position_embeddings');
      const factor = scaling.factor ?? (positions ?? originalMaxPositionEmbeddings) / originalMaxPositionEmbeddings;
      const factors = scaling.short_factor ?? [];
      if (factors.length === 0) throw errors.value(file, `${key}.short_factor`, 'it is missing');
      const attentionFactor =
        scaling.attention_factor ??
        (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositionEmbeddings)));
      const long = scaling.long_factor ?? undefined;
      return {
        type: 'longrope',
        theta,
        factors,
        ...(long === undefined || positions === null ? {} : { long: { factors: long, positions } }),
        originalMaxPositionEmbeddings,
        attentionFactor,
      };
    }
    default:
      throw errors.feature(file, `RoPE of the kind "${type.slice(0, 100)}"`);
  }
}
