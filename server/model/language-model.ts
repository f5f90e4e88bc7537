/** A base model in memory: configuration, tokenizer and weights of a Hugging Face folder or a GGUF file. */
import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../device/device.ts';
import { State } from '../device/program.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { type SavedDtype, writeSafetensors } from '../files/safetensors-writer.ts';
import * as ops from '../graph/ops.ts';
import type { StoredWeight } from '../graph/stored.ts';
import { size } from '../graph/tensor.ts';
import type { AdapterChoice } from '../protocol/adapter.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import {
  type Adapters,
  adaptersOf,
  adapterTensors,
  freshAdapter,
  isAdapterTensor,
  layerNames,
  merged,
} from './adapter/adapter.ts';
import { adapterErrors } from './adapter/errors.ts';
import { adapterBase, peftConfig, readAdapter, readAdapterWeights, writeAdapter } from './adapter/peft.ts';
import { hiddenStates, languageHead } from './base.ts';
import { rowsOf } from './block.ts';
import { loadModelConfig, type ModelConfig, type ModelForm } from './config/config.ts';
import { configErrors } from './errors.ts';
import { isAdapter, locateModel } from './folder.ts';
import { ggufHas, ggufText } from './gguf/file.ts';
import { CONFIG_BYTES, readModelText, withDtype } from './json.ts';
import { Stepper } from './step.ts';
import type { StepGraph } from './step-graph.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
import { heldWeights } from './weights/held.ts';
import { chosenPrecision } from './weights/precision.ts';
import { SharedWeights, type WeightShelf } from './weights/shelf.ts';
import { type ExpectedTensor, expectedTensors, openWeights, type Weights } from './weights/weights.ts';

/** Weights in host memory in float32, by name. */
export type WeightMap = ReadonlyMap<string, Float32Array>;

/** Files of a model folder that are carried along unchanged when a tuned model is saved. */
const companions = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
] as const;

/** The adapter that stands beside a base. Its weights are among those of the model. */
export interface HeldAdapter {
  /** Where it was read; undefined for one that was made here. */
  readonly folder?: string;
  /** Its adapter_config.json. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** What a folder is to hold where that is not the model as it is. */
export interface SavedForm {
  readonly tensors: readonly ExpectedTensor[];
  /** Its config.json, from that of the model. */
  config(text: string): string;
}

/** What some models have beside their weights. */
export interface ModelParts {
  /** The content of config.json where the folder has none: a model that was made here. */
  readonly configJson?: unknown;
  /** Weights that are kept in another form. They are frozen: nothing trains them, and a saved model has those of the folder. */
  readonly stored?: ReadonlyMap<string, StoredWeight>;
  /** Which of its weights other models may have too. */
  readonly shared?: SharedWeights;
  readonly adapter?: HeldAdapter;
}

/** How a model is read. */
export interface LoadModelOptions {
  /** Where models of the same folder share their weights. */
  readonly shelf?: WeightShelf | undefined;
  /** The form the weights of the base are kept in; in float32, if not given. */
  readonly precision?: PrecisionChoice | undefined;
  /** With `scores` the weight of {@link scoreHead} is among its weights, and there is no head for tokens. */
  readonly form?: ModelForm;
  /** The folder of the base of an adapter, where its configuration does not say. */
  readonly base?: string | undefined;
  /** Hears what takes long, in words: that a large model is brought into its form, and how far that is. */
  readonly say?: ((text: string) => void) | undefined;
}

export class LanguageModel {
  readonly stored: ReadonlyMap<string, StoredWeight>;
  readonly shared: SharedWeights;
  readonly adapter: HeldAdapter | undefined;
  private readonly configJson: unknown;

  constructor(
    /** Of a model with an adapter, the folder of its base. */
    readonly folder: string,
    readonly config: ModelConfig,
    /** Undefined where the folder has none; then the model works on ids only. */
    readonly tokenizer: Tokenizer | undefined,
    /** Those that are kept in float32: all, unless it was loaded in another precision. */
    readonly weights: WeightMap,
    { configJson, stored = new Map(), shared = new SharedWeights(new Map()), adapter }: ModelParts = {},
  ) {
    this.configJson = configJson;
    this.stored = stored;
    this.shared = shared;
    this.adapter = adapter;
  }

  /**
   * @param path the folder, or what {@link locateModel} finds it by
   * @throws config.*, adapter.*, weights.*, safetensors.*, gguf.*, tokenizer.*, and folder.* which says what is there instead of a model
   */
  static async load(path: string, options: LoadModelOptions = {}): Promise<LanguageModel> {
    const { shelf, form = 'language', say } = options;
    const found = locateModel(path);
    const folder = isAdapter(found) ? adapterBase(found, options.base) : found;
    const config = await loadModelConfig(folder, form);
    const adapter = folder === found ? undefined : readAdapter(found, config);
    const tokenizer = hasFile(folder, 'tokenizer.json')
      ? loadTokenizer(folder, { modelVocabSize: config.vocabSize })
      : undefined;
    const precision = chosenPrecision(options.precision ?? 'f32', config);
    const held = await heldWeights(folder, config, precision, { shelf, form, say });
    const weights = new Map<string, Float32Array>();
    const stored = new Map<string, StoredWeight>();
    for (const [name, weight] of held) {
      if (weight instanceof Float32Array) weights.set(name, weight);
      else stored.set(name, weight);
    }
    const shared = new SharedWeights(weights, new Set(shelf === undefined ? [] : weights.keys()));
    const model = new LanguageModel(folder, config, tokenizer, weights, { stored, shared });
    return adapter === undefined ? model : model.withAdapter(adapter.adapters, readAdapterWeights(adapter), adapter);
  }

  /**
   * The model with a new adapter, which changes nothing until it has learned. One that is beside it already stays, if it is what is
   * asked for.
   *
   * @returns undefined where another adapter is beside it
   * @throws adapter.targets where it has none of the layers
   */
  adapted(choice: AdapterChoice, seed: number): LanguageModel | undefined {
    const adapters = adaptersOf(this.config, choice);
    const beside = new Set(Object.keys(adapters).map((name) => name.slice(name.lastIndexOf('.') + 1)));
    const targets = choice.targets.filter((name) => beside.has(name));
    if (targets.length === 0) throw adapterErrors.targets(this.folder, choice.targets, layerNames(this.config));
    if (this.config.adapters !== undefined) return sameAdapters(this.config.adapters, adapters) ? this : undefined;
    const weights = freshAdapter({ ...this.config, adapters }, seed);
    return this.withAdapter(adapters, weights, { json: peftConfig({ ...choice, targets }) });
  }

  private withAdapter(adapters: Adapters, added: WeightMap, held: HeldAdapter): LanguageModel {
    for (const [name, values] of added) (this.weights as Map<string, Float32Array>).set(name, values);
    const { folder, config, tokenizer, weights, configJson, stored, shared } = this;
    const adapter = { json: held.json, ...(held.folder === undefined ? {} : { folder: held.folder }) };
    return new LanguageModel(folder, { ...config, adapters }, tokenizer, weights, {
      configJson,
      stored,
      shared,
      adapter,
    });
  }

  /** The model with its adapter added to the weights of its base, in float32 where it is; itself where it has none. */
  merged(): LanguageModel {
    const { adapters, ...config } = this.config;
    if (adapters === undefined) return this;
    const weights = new Map([...this.weights].filter(([name]) => !isAdapterTensor(name)));
    const stored = new Map(this.stored);
    using files = this.source();
    for (const [layer, adapter] of Object.entries(adapters)) {
      const name = `${layer}.weight`;
      const before = stored.delete(name) ? files?.read(name) : undefined;
      const [a, b] = ['A', 'B'].map((half) => weightOf(this.weights, `${layer}.lora_${half}.weight`));
      weights.set(name, merged(before ?? weightOf(this.weights, name), a, b, adapter));
    }
    const shared = new SharedWeights(weights, this.shared.still(weights, this.weights));
    return new LanguageModel(this.folder, config, this.tokenizer, weights, {
      configJson: this.configJson,
      stored,
      shared,
    });
  }

  /**
   * A device for programs over this base: they read the weights that are kept in another form from there.
   *
   * @param exact see {@link Device.over}
   */
  on(device: Device, exact = false): Device {
    return device.over(this.stored, exact);
  }

  /** Where the weights are as they were before they were brought into another form; undefined where none was. The caller closes it. */
  private source(): Weights | undefined {
    return this.stored.size === 0 ? undefined : openWeights(this.folder, this.config);
  }

  /**
   * Goes through all weights in float32, as they are in memory or else in the folder.
   *
   * @throws weights.*, safetensors.* where the folder is no longer what it was
   */
  *values(): Generator<readonly [name: string, values: Float32Array]> {
    using files = this.source();
    for (const { name } of this.tensors)
      yield [name, files !== undefined && this.stored.has(name) ? files.read(name) : weightOf(this.weights, name)];
  }

  /**
   * Numbers of a weight, at most `count` of them in equal steps, as they are in float32 and in the folder.
   *
   * @throws weights.*, safetensors.* where the folder is no longer what it was
   */
  sample(names: readonly string[], count: number): Map<string, Float32Array> {
    const shapes = new Map(this.tensors.map(({ name, shape }) => [name, shape]));
    using files = this.source();
    return new Map(
      names.map((name) => {
        const elements = size(shapes.get(name) ?? [0]);
        const step = Math.max(1, Math.floor(elements / count));
        const values = this.weights.get(name);
        const at = (i: number) =>
          values?.[i * step] ?? files?.read(name, { first: i * step, count: 1 })[0] ?? Number.NaN;
        return [name, Float32Array.from({ length: Math.min(count, elements) }, (_, i) => at(i))];
      }),
    );
  }

  /** Those of the base, and of an adapter beside it. */
  get tensors(): ExpectedTensor[] {
    return [...expectedTensors(this.config), ...adapterTensors(this.config)];
  }

  /** Those that are kept in float32, which programs may have as inputs. */
  get plainTensors(): ExpectedTensor[] {
    return this.tensors.filter(({ name }) => !this.stored.has(name));
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
   * format: others load them in the one that stands there, and in a narrower one would lose what was learned. Of a model with an
   * adapter the adapter alone is written, as PEFT does, with the tokenizer of its base beside it.
   */
  async save(
    folder: string,
    weights: WeightMap = this.weights,
    dtype: SavedDtype = 'F32',
    as?: SavedForm,
  ): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const name of companions) {
      if (existsSync(join(this.folder, name))) await cp(join(this.folder, name), join(folder, name));
      else {
        const text = ggufText(this.folder, name);
        if (text !== undefined) await writeFile(join(folder, name), text);
      }
    }
    if (this.adapter !== undefined) {
      if (as !== undefined) throw new Error('an adapter has one form');
      await writeAdapter(folder, this.config, this.adapter.json, realpathSync(this.folder), weights, dtype);
      return;
    }
    const { tensors = this.tensors, config = (text: string) => text } = as ?? {};
    await writeFileAtomic(join(folder, 'config.json'), withDtype(config(this.configText()), dtypeNames[dtype]));
    using files = this.source();
    const read = (name: string) =>
      files !== undefined && !weights.has(name) ? files.read(name) : weightOf(weights, name);
    const entries = tensors.map(({ name, shape }) => ({ name, shape, dtype, data: () => read(name) }));
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

const sameAdapters = (a: Adapters, b: Adapters) =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([layer, { rank, scale }]) => b[layer]?.rank === rank && b[layer].scale === scale);

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

/** Weights on a device that are never written, each there once for all who hold it. */
export async function holdWeights(
  device: Device,
  weights: WeightMap,
  tensors: readonly ExpectedTensor[],
): Promise<State> {
  const state = new State();
  for (const { name, shape } of tensors) state.set(name, await device.hold(weightOf(weights, name), shape));
  return state;
}

/**
 * A decoding step of the base.
 *
 * @param wanted of the last new token of each row: `logits [B,V]`, or the most likely next `token [B]` (int32), which is all that
 * greedy decoding needs to bring to the host
 */
export function baseStep(config: ModelConfig, wanted: 'logits' | 'token' = 'logits'): StepGraph {
  return {
    cachedBlocks: config.layers,
    build(graph, { ids, context, caches, last }) {
      const { h, caches: updated } = hiddenStates(graph, config, ids, context, caches);
      const logits = languageHead(graph, config, rowsOf(h, last));
      return { outputs: wanted === 'token' ? { token: ops.argmax(logits) } : { logits }, caches: updated };
    },
  };
}

/** A stepper of the base with its weights compiled in, which is faster at small batches. */
export function baseStepper(device: Device, model: LanguageModel, wanted?: 'logits' | 'token'): Stepper {
  return new Stepper(model.on(device), model.config, baseStep(model.config, wanted), [], model.weights);
}
