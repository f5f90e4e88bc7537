/** Adapters in the folder format of PEFT: `adapter_config.json` and `adapter_model.safetensors`. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../files/atomic.ts';
import { firstNonFinite } from '../../files/floats.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from '../../files/model-files.ts';
import { isOfNetwork } from '../../files/place.ts';
import { SafetensorsFile } from '../../files/safetensors.ts';
import { type SavedDtype, writeSafetensors } from '../../files/safetensors-writer.ts';
import type { AdapterChoice } from '../../protocol/adapter.ts';
import { firstIssue } from '../../schemas/first-issue.ts';
import type { ModelConfig } from '../config/config.ts';
import { isAdapter, locateModel } from '../folder.ts';
import { CONFIG_BYTES, parseModelJson, readModelText } from '../json.ts';
import { ownName } from '../weights/tensor-names.ts';
import { refuseAbsurd } from '../weights/weights.ts';
import { type Adapters, adapterTensors, linearLayers } from './adapter.ts';
import { adapterErrors as errors } from './errors.ts';

/** PEFT wraps the model once, and its tuner once more. */
const PREFIX = 'base_model.model.';

const empty = z.union([z.null(), z.array(z.never()).length(0), z.record(z.string(), z.never())]).optional();
const off = z.union([z.null(), z.literal(false)]).optional();

const configSchema = z.looseObject({
  peft_type: z.string(),
  base_model_name_or_path: z.string().nullish(),
  r: z.number().int().positive().max(65536),
  lora_alpha: z.number().positive().max(1e6),
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.number()).nullish(),
});
type PeftConfig = z.infer<typeof configSchema>;

/** What PEFT can do besides, by the key that turns it on, and what its value is where it is off. */
const UNSUPPORTED: Readonly<Record<string, readonly [feature: string, without: z.ZodType]>> = {
  use_dora: ['DoRA', off],
  lora_bias: ['biases of its own', off],
  bias: ['biases of the base', z.union([z.null(), z.literal('none')]).optional()],
  fan_in_fan_out: ['transposed weights', off],
  modules_to_save: ['whole layers of its own', empty],
  alpha_pattern: ['a scale for every layer', empty],
  target_parameters: ['parameters that are no layers', empty],
  trainable_token_indices: ['tokens of its own', empty],
  layer_replication: ['layers that occur several times', empty],
  alora_invocation_tokens: ['activation by tokens', empty],
  use_qalora: ['QALoRA', off],
  use_bdlora: ['block-diagonal weights', off],
  arrow_config: ['several adapters at once', empty],
  kasa_config: ['KaSA', empty],
  monteclora_config: ['MonteCLoRA', empty],
  // These take something out of the base, which is then another one than the folder says.
  init_lora_weights: [
    'a base that was changed for it',
    z.union([z.null(), z.boolean(), z.enum(['gaussian', 'orthogonal', 'eva'])]).optional(),
  ],
  task_type: ['another task than to complete texts', z.union([z.null(), z.literal('CAUSAL_LM')]).optional()],
};

/** The adapter of a folder, as far as it can be told without its numbers. */
export interface PeftAdapter {
  readonly folder: string;
  readonly adapters: Adapters;
  /** Its adapter_config.json. */
  readonly json: Readonly<Record<string, unknown>>;
}

function readConfig(folder: string): PeftConfig {
  const file = join(folder, ADAPTER_CONFIG);
  const json = parseModelJson(readModelText(file, CONFIG_BYTES) ?? '', file);
  const { success, data, error } = configSchema.safeParse(json);
  if (!success) {
    const { path, detail } = firstIssue(error);
    throw errors.value(file, path, detail);
  }
  if (data.peft_type !== 'LORA') throw errors.feature(file, `the method ${data.peft_type.slice(0, 100)}`);
  for (const [key, [feature, without]] of Object.entries(UNSUPPORTED))
    if (!without.safeParse(data[key]).success) throw errors.feature(file, `${feature} ("${key}")`);
  return data;
}

/**
 * The folder of the base of an adapter.
 *
 * @param given the folder, where it is said elsewhere
 * @throws ColaError adapter.*, config.json and the like
 */
export function adapterBase(folder: string, given?: string): string {
  const file = join(folder, ADAPTER_CONFIG);
  const { base_model_name_or_path: named } = readConfig(folder);
  // Whoever published the adapter wrote the name: it may be of a hub, or of nothing, and it opens no connection.
  const lost = named == null || named === '' || isOfNetwork(named);
  const path = given ?? (lost ? undefined : resolve(folder, named));
  if (path === undefined || !existsSync(path)) throw errors.base(file, given ?? named);
  const base = locateModel(path);
  if (isAdapter(base)) throw errors.chained(file, base);
  return base;
}

/**
 * What an adapter puts beside which layers: its tensors say where it is, and how many columns it has there.
 *
 * @param config of its base
 * @throws ColaError adapter.*, safetensors.*
 */
export function readAdapter(folder: string, config: ModelConfig): PeftAdapter {
  const json = readConfig(folder);
  using file = openFile(folder);
  const ranks = new Map<string, number>();
  const layers = linearLayers(config);
  for (const name of file.names) {
    const [, layer, half] = /^(.*)\.lora_([AB])\.weight$/.exec(ownName(name)) ?? [];
    const shape = layer === undefined ? undefined : layers.get(layer);
    if (layer === undefined || shape === undefined) throw errors.layer(file.path, name);
    if (half === 'A') ranks.set(layer, file.info(name).shape[0] ?? 0);
    else if (!ranks.has(layer)) ranks.set(layer, file.info(name).shape[1] ?? 0);
  }
  const varied = Object.keys(json.rank_pattern ?? {}).length > 0;
  const adapters = Object.fromEntries(
    [...ranks].map(([layer, found]) => {
      const rank = varied && found > 0 ? found : json.r;
      return [layer, { rank, scale: json.lora_alpha / (json.use_rslora === true ? Math.sqrt(rank) : rank) }];
    }),
  );
  const stored = new Map(file.names.map((name) => [ownName(name), name]));
  for (const { name, shape } of adapterTensors({ ...config, adapters })) {
    const under = stored.get(name);
    if (under === undefined) throw errors.half(file.path, `${PREFIX}${name}`);
    const found = file.info(under).shape;
    if (found.join() !== shape.join()) throw errors.shape(file.path, under, found, shape);
  }
  return { folder, adapters, json };
}

/** The weights of an adapter that {@link readAdapter} has looked through. @throws ColaError adapter.notFinite, weights.tooLarge, safetensors.* */
export function readAdapterWeights({ folder }: PeftAdapter): Map<string, Float32Array> {
  using file = openFile(folder);
  return new Map(
    file.names.map((name) => {
      const values = file.readFloat32(name);
      if (firstNonFinite(values) >= 0) throw errors.notFinite(file.path, name);
      refuseAbsurd(file.path, name, values);
      return [ownName(name), values];
    }),
  );
}

function openFile(folder: string): SafetensorsFile {
  const path = join(folder, ADAPTER_WEIGHTS);
  if (!existsSync(path)) throw errors.noWeights(folder);
  return SafetensorsFile.open(path);
}

/** The configuration of a new adapter, as PEFT writes it. */
export function peftConfig({ rank, alpha, targets }: AdapterChoice): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: null,
    r: rank,
    lora_alpha: alpha,
    target_modules: [...targets],
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    inference_mode: true,
  };
}

/** Writes an adapter into a folder. @param base the folder of its base */
export async function writeAdapter(
  folder: string,
  config: ModelConfig,
  json: Readonly<Record<string, unknown>>,
  base: string,
  weights: ReadonlyMap<string, Float32Array>,
  dtype: SavedDtype,
): Promise<void> {
  const entries = adapterTensors(config).map(({ name, shape }) => ({
    name: `${PREFIX}${name}`,
    shape,
    dtype,
    data: () => weights.get(name) ?? new Float32Array(),
  }));
  await writeSafetensors(join(folder, ADAPTER_WEIGHTS), entries, { format: 'pt' });
  const text = JSON.stringify({ ...json, base_model_name_or_path: base }, null, 2);
  await writeFileAtomic(join(folder, ADAPTER_CONFIG), `${text}\n`);
}
