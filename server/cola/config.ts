/** `cola.json`: the sizes of the added modules, and the settings they were trained with. */
import { z } from 'zod';
import { blockWeights } from '../model/block-weights.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { ExpectedTensor } from '../model/weights/weights.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { colaErrors } from './errors.ts';

export interface ColaConfig {
  /** N. */
  readonly numCodes: number;
  readonly idmLayers: number;
  readonly policyLayers: number;
  readonly mergeLayers: number;
  /** Width of heads, codes and merge where they are narrower than the base; undefined where they are as wide. */
  readonly width?: number | undefined;
  /** Whether the world model subtracts h (`residual`) or not (`plain`). */
  readonly worldResidual: boolean;
  /** Folder of the base, relative to that of `cola.json`. */
  readonly base: string;
}

const count = z.number().int().positive();

export const colaSchema = z.looseObject({
  num_codes: count.max(4096),
  idm_layers: count.max(1024),
  policy_layers: count.max(1024),
  merge_layers: count.max(64),
  width: count.max(65_536).optional(),
  world_residual: z.boolean(),
  fill_in: z.boolean().optional(),
  base: z.string().optional(),
});

/** @throws cola.config */
export function parseColaConfig(json: unknown, file: string, base: string): ColaConfig {
  const parsed = colaSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw colaErrors.config(file, path, detail);
  }
  const { data } = parsed;
  return {
    numCodes: data.num_codes,
    idmLayers: data.idm_layers,
    policyLayers: data.policy_layers,
    mergeLayers: data.merge_layers,
    width: data.width,
    worldResidual: data.world_residual,
    base: data.base ?? base,
  };
}

/** A stack of blocks on h that ends in N logits. `q_target` is the delayed copy of `q`. */
export type HeadName = 'idm' | 'policy' | 'q' | 'q_target';

/** Blocks of a head: the inverse dynamics has its own number, the others that of the policy. */
export function headLayers(cola: ColaConfig, head: HeadName): number {
  return head === 'idm' ? cola.idmLayers : cola.policyLayers;
}

/** w: that of heads, codes and merge. No more than the width d of the base, of which there is no projection then. */
export const widthOf = (
  { hiddenSize }: Pick<ModelConfig, 'hiddenSize'>,
  { width }: Pick<ColaConfig, 'width'>,
): number => Math.min(width ?? hiddenSize, hiddenSize);

/** Whether h is projected from d to w. */
export const isNarrow = (config: Pick<ModelConfig, 'hiddenSize'>, cola: Pick<ColaConfig, 'width'>): boolean =>
  widthOf(config, cola) < config.hiddenSize;

const innerStep = 8;

/**
 * What the blocks of a head are: those of the base, of width w, with feed-forwards that are narrower by as much (rounded up to a
 * multiple of 8). Number and width of the attention's heads stay, so that their keys and values lie in the base's cache.
 */
export function headConfig(config: ModelConfig, cola: ColaConfig): ModelConfig {
  const { hiddenSize: d, intermediateSize: f } = config;
  const w = widthOf(config, cola);
  if (w === d) return config;
  return { ...config, hiddenSize: w, intermediateSize: innerStep * Math.ceil((f * w) / d / innerStep) };
}

/** Names and shapes of one head. */
export function headWeights(config: ModelConfig, cola: ColaConfig, head: HeadName): ExpectedTensor[] {
  const own = headConfig(config, cola);
  const blocks = Array.from({ length: headLayers(cola, head) }, (_, i) => blockWeights(own, `${head}.blocks.${i}`));
  return [
    ...(isNarrow(config, cola) ? [{ name: `${head}.narrow.weight`, shape: [own.hiddenSize, config.hiddenSize] }] : []),
    ...blocks.flat(),
    { name: `${head}.norm.weight`, shape: [own.hiddenSize] },
    { name: `${head}.head.weight`, shape: [cola.numCodes, own.hiddenSize] },
  ];
}

/** Codebook and merge layers. */
export function worldWeights(config: ModelConfig, cola: ColaConfig): ExpectedTensor[] {
  const { hiddenSize: d } = config;
  const { hiddenSize: w, intermediateSize: f } = headConfig(config, cola);
  const merge = Array.from({ length: cola.mergeLayers }, (_, k) => [
    { name: `merge.${k}.w1.weight`, shape: [f, 2 * w] },
    { name: `merge.${k}.w2.weight`, shape: [f, 2 * w] },
    { name: `merge.${k}.w3.weight`, shape: [w, f] },
  ]);
  const projections = [
    { name: 'merge.narrow.weight', shape: [w, d] },
    { name: 'merge.widen.weight', shape: [d, w] },
  ];
  return [
    { name: 'codebook.weight', shape: [cola.numCodes, w] },
    ...(isNarrow(config, cola) ? projections : []),
    ...merge.flat(),
  ];
}

export const valueWeights = (config: ModelConfig, cola: ColaConfig): ExpectedTensor[] => [
  { name: 'value.head.weight', shape: [1, widthOf(config, cola)] },
];

/**
 * The groups of `cola.safetensors`. Policy and world model are needed to decode; the others exist once the stage that
 * trains them has run.
 */
export function moduleWeights(
  config: ModelConfig,
  cola: ColaConfig,
): Record<'idm' | 'world' | 'policy' | 'value' | 'q' | 'q_target', ExpectedTensor[]> {
  return {
    idm: headWeights(config, cola, 'idm'),
    world: worldWeights(config, cola),
    policy: headWeights(config, cola, 'policy'),
    value: valueWeights(config, cola),
    q: headWeights(config, cola, 'q'),
    q_target: headWeights(config, cola, 'q_target'),
  };
}

export type ModuleName = keyof ReturnType<typeof moduleWeights>;
