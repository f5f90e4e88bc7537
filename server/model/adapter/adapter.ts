/**
 * Adapters (LoRA, arXiv 2106.09685): a linear layer W of a frozen base becomes x W' + s (x A') B' with A `[r,in]` and B `[out,r]`,
 * of which alone A and B are learned. The scale s is alpha / r. What is computed stands in `block.ts`.
 */
import type { AdapterChoice } from '../../protocol/adapter.ts';
import { Random } from '../../random.ts';
import { blockWeights } from '../block-weights.ts';
import type { ModelConfig } from '../config/config.ts';
import type { ExpectedTensor } from '../weights/weights.ts';

/** What is put beside a linear layer. */
export interface LowRank {
  /** r */
  readonly rank: number;
  /** s */
  readonly scale: number;
}

/** By the name of the layer, such as `model.layers.0.self_attn.q_proj`. */
export type Adapters = Readonly<Record<string, LowRank>>;

export const isAdapterTensor = (name: string): boolean => /\.lora_[AB]\.weight$/.test(name);

/** The linear layers of the blocks of a base by name, with the shape `[out,in]` of their weight. */
export function linearLayers(config: ModelConfig): Map<string, readonly [number, number]> {
  const all = Array.from({ length: config.layers }, (_, i) => blockWeights(config, `model.layers.${i}`)).flat();
  return new Map(
    all.flatMap(({ name, shape: [out, inner] }) =>
      /_proj\.weight$/.test(name) ? [[name.slice(0, -'.weight'.length), [out, inner] as const] as const] : [],
    ),
  );
}

/** How the linear layers of a block are called: `q_proj` and so on. */
export const layerNames = (config: ModelConfig): string[] => [
  ...new Set([...linearLayers(config).keys()].map((name) => name.slice(name.lastIndexOf('.') + 1))),
];

/** A and B beside every layer that is called as one of the targets, in every block. */
export function adaptersOf(config: ModelConfig, { rank, alpha, targets }: AdapterChoice): Adapters {
  const wanted = new Set<string>(targets);
  const named = [...linearLayers(config).keys()].filter((name) => wanted.has(name.slice(name.lastIndexOf('.') + 1)));
  return Object.fromEntries(named.map((name) => [name, { rank, scale: alpha / rank }]));
}

/** A and B of every layer that has them; none where the model has no adapter. */
export function adapterTensors(config: ModelConfig): ExpectedTensor[] {
  const layers = linearLayers(config);
  return Object.entries(config.adapters ?? {}).flatMap(([name, { rank }]) => {
    const [out, inner] = layers.get(name) ?? [0, 0];
    return [
      { name: `${name}.lora_A.weight`, shape: [rank, inner] },
      { name: `${name}.lora_B.weight`, shape: [out, rank] },
    ];
  });
}

/** The weights of a new adapter, which changes nothing yet: B is 0, and A as PEFT draws it, evenly within 1 / sqrt(in). */
export function freshAdapter(config: ModelConfig, seed: number): Map<string, Float32Array> {
  const random = new Random(seed);
  return new Map(
    adapterTensors(config).map(({ name, shape }) => {
      const values = new Float32Array(shape[0] * shape[1]);
      const bound = 1 / Math.sqrt(shape[1]);
      if (name.endsWith('.lora_A.weight'))
        for (let i = 0; i < values.length; i++) values[i] = bound * (2 * random.uniform() - 1);
      return [name, values];
    }),
  );
}

/** W + s B A in float32, as PEFT merges. @param weight `[out,in]` @param a `[r,in]` @param b `[out,r]` */
export function merged(weight: Float32Array, a: Float32Array, b: Float32Array, { rank, scale }: LowRank): Float32Array {
  const inner = a.length / rank;
  const out = weight.slice();
  const row = new Float64Array(inner);
  for (let o = 0; o < b.length / rank; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[o * rank + r];
      if (factor === 0) continue;
      for (let i = 0; i < inner; i++) row[i] += factor * a[r * inner + i];
    }
    for (let i = 0; i < inner; i++) out[o * inner + i] += scale * row[i];
  }
  return out;
}
