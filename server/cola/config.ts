/** `cola.json`: the sizes of the added modules, and the settings they were trained with. */
import { z } from 'zod';
import { blockWeights } from '../model/block-weights.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { ExpectedTensor } from '../model/weights/weights.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { colaErrors } from './errors.ts';
import { type HeadName, headLayers } from './modules.ts';

export interface ColaConfig {
  /** N. */
  readonly numCodes: number;
  readonly idmLayers: number;
  readonly policyLayers: number;
  readonly mergeLayers: number;
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
    worldResidual: data.world_residual,
    base: data.base ?? base,
  };
}

/** Names and shapes of one head. */
export function headWeights(config: ModelConfig, cola: ColaConfig, head: HeadName): ExpectedTensor[] {
  const blocks = Array.from({ length: headLayers(cola, head) }, (_, i) => blockWeights(config, `${head}.blocks.${i}`));
  return [
    ...blocks.flat(),
    { name: `${head}.norm.weight`, shape: [config.hiddenSize] },
    { name: `${head}.head.weight`, shape: [cola.numCodes, config.hiddenSize] },
  ];
}

/** Codebook and merge layers. */
export function worldWeights(config: ModelConfig, cola: ColaConfig): ExpectedTensor[] {
  const { hiddenSize: d, intermediateSize: f } = config;
  const merge = Array.from({ length: cola.mergeLayers }, (_, k) => [
    { name: `merge.${k}.w1.weight`, shape: [f, 2 * d] },
    { name: `merge.${k}.w2.weight`, shape: [f, 2 * d] },
    { name: `merge.${k}.w3.weight`, shape: [d, f] },
  ]);
  return [{ name: 'codebook.weight', shape: [cola.numCodes, d] }, ...merge.flat()];
}

export const valueWeights = (config: ModelConfig): ExpectedTensor[] => [
  { name: 'value.head.weight', shape: [1, config.hiddenSize] },
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
    value: valueWeights(config),
    q: headWeights(config, cola, 'q'),
    q_target: headWeights(config, cola, 'q_target'),
  };
}

export type ModuleName = keyof ReturnType<typeof moduleWeights>;
