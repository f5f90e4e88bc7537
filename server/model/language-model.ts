/** A base model in memory: configuration, tokenizer and weights of a Hugging Face folder. */
import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../device/device.ts';
import { State } from '../device/program.ts';
import { writeSafetensors } from '../files/safetensors-writer.ts';
import { writeFileAtomic } from '../store/atomic.ts';
import { hiddenStates, languageHead } from './base.ts';
import { rowsOf } from './block.ts';
import { loadModelConfig, type ModelConfig } from './config.ts';
import { type StepGraph, Stepper } from './step.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer.ts';
import { type ExpectedTensor, expectedTensors, openWeights } from './weights.ts';

/** Weights in host memory, by name. */
export type WeightMap = ReadonlyMap<string, Float32Array>;

/** Files of a model folder that are carried along unchanged when a tuned model is saved. */
const companions = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
] as const;

export class LanguageModel {
  constructor(
    readonly folder: string,
    readonly config: ModelConfig,
    /** Undefined where the folder has none; then the model works on ids only. */
    readonly tokenizer: Tokenizer | undefined,
    readonly weights: WeightMap,
    /** The content of config.json where the folder has none: a model that was made here. */
    private readonly configJson?: unknown,
  ) {}

  /** @throws config.*, weights.*, safetensors.*, tokenizer.* */
  static async load(folder: string): Promise<LanguageModel> {
    const config = await loadModelConfig(folder);
    const tokenizer = existsSync(join(folder, 'tokenizer.json'))
      ? loadTokenizer(folder, { modelVocabSize: config.vocabSize })
      : undefined;
    using files = openWeights(folder, config);
    const weights = new Map(files.tensors.map(({ name }) => [name, files.read(name)]));
    return new LanguageModel(folder, config, tokenizer, weights);
  }

  get tensors(): ExpectedTensor[] {
    return expectedTensors(this.config);
  }

  /** Ids that end a generation: those of the configuration, else the tokenizer's. */
  get endIds(): ReadonlySet<number> {
    const { eosTokenIds } = this.config;
    if (eosTokenIds.length > 0) return new Set(eosTokenIds);
    const id = this.tokenizer?.eosId;
    return new Set(id === undefined ? [] : [id]);
  }

  /** Writes a folder that loads like the one this model came from, with these weights. */
  async save(folder: string, weights: WeightMap = this.weights, dtype: 'F32' | 'F16' = 'F32'): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const name of companions) {
      if (existsSync(join(this.folder, name))) await cp(join(this.folder, name), join(folder, name));
    }
    if (this.configJson !== undefined) {
      await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(this.configJson, null, 2)}\n`);
    }
    const entries = this.tensors.map(({ name, shape }) => ({ name, shape, dtype, data: weightOf(weights, name) }));
    await writeSafetensors(join(folder, 'model.safetensors'), entries, { format: 'pt' });
  }
}

/** A weight that is known to be there. */
export function weightOf(weights: WeightMap, name: string): Float32Array {
  const data = weights.get(name);
  if (data === undefined) throw new Error(`no weight ${name}`);
  return data;
}

/**
 * Weights on a device. On the CPU the state is the very memory of `weights`: training writes through it.
 */
export async function uploadWeights(
  device: Device,
  weights: WeightMap,
  tensors: readonly ExpectedTensor[],
): Promise<State> {
  const state = new State();
  for (const { name, shape } of tensors)
    state.set(name, await device.upload(weightOf(weights, name), 'float32', shape));
  return state;
}

/** A decoding step of the base: `logits [B,V]` of the last new token of each row. */
export function baseStep(config: ModelConfig): StepGraph {
  return {
    cachedBlocks: config.layers,
    build(graph, { ids, context, caches, last }) {
      const { h, caches: updated } = hiddenStates(graph, config, ids, context, caches);
      return { outputs: { logits: languageHead(graph, config, rowsOf(h, last)) }, caches: updated };
    },
  };
}

/** A stepper of the base with its weights compiled in, which is faster at small batches. */
export function baseStepper(device: Device, model: LanguageModel): Stepper {
  return new Stepper(device, model.config, baseStep(model.config), [], model.weights);
}
