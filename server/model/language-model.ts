/** A base model in memory: configuration, tokenizer and weights of a Hugging Face folder or a GGUF file. */
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../device/device.ts';
import { State } from '../device/program.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { type SavedDtype, writeSafetensors } from '../files/safetensors-writer.ts';
import { hiddenStates, languageHead } from './base.ts';
import { rowsOf } from './block.ts';
import { loadModelConfig, type ModelConfig } from './config.ts';
import { configErrors } from './errors.ts';
import { locateModel } from './folder.ts';
import { ggufHas, ggufText } from './gguf/file.ts';
import { CONFIG_BYTES, readModelText, withDtype } from './json.ts';
import { type StepGraph, Stepper } from './step.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer.ts';
import type { WeightShelf } from './weight-shelf.ts';
import { type ExpectedTensor, expectedTensors, openWeights } from './weights.ts';

/** Weights in host memory, by name. */
export type WeightMap = ReadonlyMap<string, Float32Array>;

/** Files of a model folder that are carried along unchanged when a tuned model is saved. */
const companions = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
] as const;

export class LanguageModel {
  /** Names of weights whose memory other models may have too: these are never written. */
  private readonly shared = new Set<string>();

  constructor(
    readonly folder: string,
    readonly config: ModelConfig,
    /** Undefined where the folder has none; then the model works on ids only. */
    readonly tokenizer: Tokenizer | undefined,
    readonly weights: WeightMap,
    /** The content of config.json where the folder has none: a model that was made here. */
    private readonly configJson?: unknown,
  ) {}

  /**
   * @param path the folder, or what {@link locateModel} finds it by
   * @param shelf where models of the same folder share their weights
   * @throws config.*, weights.*, safetensors.*, gguf.*, tokenizer.*, and folder.* which says what is there instead of a model
   */
  static async load(path: string, shelf?: WeightShelf): Promise<LanguageModel> {
    const folder = locateModel(path);
    const config = await loadModelConfig(folder);
    const tokenizer = hasFile(folder, 'tokenizer.json')
      ? loadTokenizer(folder, { modelVocabSize: config.vocabSize })
      : undefined;
    const read = () => {
      using files = openWeights(folder, config);
      return new Map(files.tensors.map(({ name }) => [name, files.read(name)]));
    };
    if (shelf === undefined) return new LanguageModel(folder, config, tokenizer, read());
    const weights = shelf.take(folder, read);
    const model = new LanguageModel(folder, config, tokenizer, weights);
    for (const name of weights.keys()) model.shared.add(name);
    return model;
  }

  /**
   * Copies the named weights that other models may have too, before they are trained. Those that are no weights of the base are
   * passed over.
   *
   * @returns whether any had to be copied
   */
  own(names: Iterable<string>): boolean {
    let copied = false;
    for (const name of names) {
      if (!this.shared.delete(name)) continue;
      (this.weights as Map<string, Float32Array>).set(name, weightOf(this.weights, name).slice());
      copied = true;
    }
    return copied;
  }

  /** Of the names, one whose memory other models may have too. */
  sharedAmong(names: readonly string[]): string | undefined {
    return names.find((name) => this.shared.has(name));
  }

  get tensors(): ExpectedTensor[] {
    return expectedTensors(this.config);
  }

  /**
   * Ids that end a generation: those of the configuration and the tokenizer's. Folders name one end in config.json and
   * another in tokenizer_config.json (Qwen2.5: the end of the text and the end of a turn), and a model that was tuned says
   * either.
   */
  get endIds(): ReadonlySet<number> {
    const id = this.tokenizer?.eosId;
    return new Set(id === undefined ? this.config.eosTokenIds : [...this.config.eosTokenIds, id]);
  }

  /**
   * Writes a folder that loads like the one this model came from, with these weights. Its config.json names their number
   * format: others load them in the one that stands there, and in a narrower one would lose what was learned.
   */
  async save(folder: string, weights: WeightMap = this.weights, dtype: SavedDtype = 'F32'): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const name of companions) {
      if (existsSync(join(this.folder, name))) await cp(join(this.folder, name), join(folder, name));
      else {
        const text = ggufText(this.folder, name);
        if (text !== undefined) await writeFile(join(folder, name), text);
      }
    }
    await writeFileAtomic(join(folder, 'config.json'), withDtype(this.configText(), dtypeNames[dtype]));
    const entries = this.tensors.map(({ name, shape }) => ({ name, shape, dtype, data: weightOf(weights, name) }));
    await writeSafetensors(join(folder, 'model.safetensors'), entries, { format: 'pt' });
  }

  private configText(): string {
    if (this.configJson !== undefined) return `${JSON.stringify(this.configJson, null, 2)}\n`;
    const file = join(this.folder, 'config.json');
    const text = readModelText(file, CONFIG_BYTES);
    if (text === undefined) throw configErrors.cannotRead(file, new Error('it is gone'));
    return text;
  }
}

/** Whether a model folder has a file, or a GGUF file what stands for it. */
function hasFile(folder: string, name: string): boolean {
  return existsSync(join(folder, name)) || ggufHas(folder, name);
}

/** Number formats as config.json names them. */
const dtypeNames = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const satisfies Record<SavedDtype, string>;

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
