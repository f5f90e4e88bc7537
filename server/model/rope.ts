/** Rotary position embedding: its parameters in config.json and the frequencies they stand for (arXiv 2104.09864). */
import { z } from 'zod';
import { firstIssue } from '../schemas/first-issue.ts';
import { configErrors as errors } from './errors.ts';

/** How fast the pairs of dimensions turn with the position. */
export type RopeConfig =
  | { readonly type: 'default'; readonly theta: number }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly theta: number;
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    };

const positive = z.number().positive();

const scalingSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.number().nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish(),
});

const ropeSchema = z.looseObject({
  rope_theta: positive.nullish(),
  rope_scaling: scalingSchema.nullish(),
  rope_parameters: scalingSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
});

type Scaling = z.infer<typeof scalingSchema>;

/**
 * Reads the parameters from config.json, from the keys of transformers 4 or 5. Where both are there they must agree.
 *
 * @throws ColaError config.feature for other kinds of RoPE, config.value for contradictions and wrong values
 */
export function parseRope(json: unknown, file: string): RopeConfig {
  const parsed = ropeSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw errors.value(file, path, detail);
  }
  const raw = parsed.data;
  const key = raw.rope_parameters == null ? 'rope_scaling' : 'rope_parameters';
  const both = [raw.rope_parameters, raw.rope_scaling].filter((scaling) => scaling != null);
  const [first, second] = both.map((scaling) => interpret(scaling, raw.rope_theta ?? null, file, key));
  if (first !== undefined && second !== undefined && JSON.stringify(first) !== JSON.stringify(second)) {
    throw errors.value(file, 'rope_parameters', 'it contradicts "rope_scaling"');
  }
  for (const part of [raw, ...both]) {
    const rotated = part.partial_rotary_factor ?? 1;
    if (rotated !== 1) throw errors.feature(file, `RoPE on a part of each head ("partial_rotary_factor" ${rotated})`);
  }
  return first ?? { type: 'default', theta: raw.rope_theta ?? DEFAULT_THETA };
}

/**
 * The angle by which each pair of dimensions turns per position, in radians, computed in float32 step by step as
 * transformers does (PyTorch divides a number by a tensor by way of the reciprocal).
 *
 * @param config the part of a ModelConfig that matters
 * @returns `[D/2]`
 */
export function ropeInverseFrequencies(config: { readonly headDim: number; readonly rope: RopeConfig }): Float32Array {
  const { headDim, rope } = config;
  const f = Math.fround;
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = f(1 / f(f(rope.theta) ** f((2 * i) / headDim)));
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
    }
  });
}

/** What transformers takes where no base is given. */
const DEFAULT_THETA = 10000;

function interpret(scaling: Scaling, outerTheta: number | null, file: string, key: string): RopeConfig {
  const nested = Object.entries(scaling).find(([, value]) => typeof value === 'object' && value !== null);
  if (nested !== undefined)
    throw errors.feature(file, `RoPE that differs between layers or dimensions ("${nested[0]}")`);
  const theta = scaling.rope_theta ?? outerTheta ?? DEFAULT_THETA;
  if (outerTheta !== null && theta !== outerTheta) {
    throw errors.value(file, 'rope_theta', `${outerTheta} contradicts the ${theta} in "${key}"`);
  }
  const needed = (name: keyof Scaling & string): number => {
    const value = scaling[name];
    if (typeof value !== 'number') throw errors.value(file, `${key}.${name}`, 'it is missing');
    return value;
  };
  const type = scaling.rope_type ?? scaling.type ?? 'default';
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
    default:
      throw errors.feature(file, `RoPE of the kind "${type.slice(0, 100)}"`);
  }
}
