/** A base model in memory: configuration, tokenizer and weights of a Hugging Face folder or a GGUF file. */
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../device/device.ts';
import { State } from '../device/program.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { type SavedDtype, writeSafetensors } from '../files/safetensors-writer.ts';
import type { StoredWeight } from '../graph/stored.ts';
import { size } from '../graph/tensor.ts';
import type { Precision, PrecisionChoice } from '../protocol/precision.ts';
import { hiddenStates, languageHead } from './base.ts';
import { rowsOf } from './block.ts';
import { loadModelConfig, type ModelConfig, type ModelForm } from './config/config.ts';
import { configErrors } from './errors.ts';
import { locateModel } from './folder.ts';
import { ggufHas, ggufText } from './gguf/file.ts';
import { CONFIG_BYTES, readModelText, withDtype } from './json.ts';
import { type StepGraph, Stepper } from './step.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
import { chosenPrecision, fillingFor } from './weights/precision.ts';
import { type HeldWeight, SharedWeights, type WeightShelf } from './weights/shelf.ts';
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

/** What a folder is to hold where that is not the model as it is. */
export interface SavedForm {
  readonly tensors: readonly ExpectedTensor[];
  /** Its config.json, from that of the model. */
  config(text: string): string;
}

export class LanguageModel {
  constructor(
    readonly folder: string,
    readonly config: ModelConfig,
    /** Undefined where the folder has none; then the model works on ids only. */
    readonly tokenizer: Tokenizer | undefined,
    /** Those that are kept in float32: all, unless it was loaded in another precision. */
    readonly weights: WeightMap,
    /** The content of config.json where the folder has none: a model that was made here. */
    private readonly configJson?: unknown,
    /** Those that are kept in another form. They are frozen: nothing trains them, and a saved model has those of the folder. */
    readonly stored: ReadonlyMap<string, StoredWeight> = new Map(),
    /** Which of its weights other models may have too. */
    readonly shared = new SharedWeights(new Map()),
  ) {}

  /**
   * @param path the folder, or what {@link locateModel} finds it by
   * @param shelf where models of the same folder share their weights
   * @param choice the form its weights are kept in; in float32, if not given
   * @param form with `scores` the weight of {@link scoreHead} is among its weights, and there is no head for tokens
   * @throws config.*, weights.*, safetensors.*, gguf.*, tokenizer.*, and folder.* which says what is there instead of a model
   */
  static async load(
    path: string,
    shelf?: WeightShelf,
    choice: PrecisionChoice = 'f32',
    form: ModelForm = 'language',
  ): Promise<LanguageModel> {
    const folder = locateModel(path);
    const config = await loadModelConfig(folder, form);
    const tokenizer = hasFile(folder, 'tokenizer.json')
      ? loadTokenizer(folder, { modelVocabSize: config.vocabSize })
      : undefined;
    const precision = chosenPrecision(choice, config);
    const read = () => {
      using files = openWeights(folder, config, form);
      return new Map(files.tensors.map((tensor) => [tensor.name, readWeight(files, tensor, precision)]));
    };
    const held = shelf === undefined ? read() : shelf.take([folder], precision, read);
    const weights = new Map<string, Float32Array>();
    const stored = new Map<string, StoredWeight>();
    for (const [name, weight] of held) {
      if (weight instanceof Float32Array) weights.set(name, weight);
      else stored.set(name, weight);
    }
    const shared = new SharedWeights(weights, new Set(shelf === undefined ? [] : weights.keys()));
    return new LanguageModel(folder, config, tokenizer, weights, undefined, stored, shared);
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

  get tensors(): ExpectedTensor[] {
    return expectedTensors(this.config);
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
   * format: others load them in the one that stands there, and in a narrower one would lose what was learned.
   */
  async save(
    folder: string,
    weights: WeightMap = this.weights,
    dtype: SavedDtype = 'F32',
    as: SavedForm = { tensors: this.tensors, config: (text) => text },
  ): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const name of companions) {
      if (existsSync(join(this.folder, name))) await cp(join(this.folder, name), join(folder, name));
      else {
        const text = ggufText(this.folder, name);
        if (text !== undefined) await writeFile(join(folder, name), text);
      }
    }
    await writeFileAtomic(join(folder, 'config.json'), withDtype(as.config(this.configText()), dtypeNames[dtype]));
    using files = this.source();
    const read = (name: string) =>
      files !== undefined && !weights.has(name) ? files.read(name) : weightOf(weights, name);
    const entries = as.tensors.map(({ name, shape }) => ({ name, shape, dtype, data: () => read(name) }));
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

/** Values that are read at once while a weight is brought into another form. */
const pieceElements = 1 << 22;

function readWeight(files: Weights, { name, shape }: ExpectedTensor, precision: Precision): HeldWeight {
  const filling = fillingFor(precision, shape);
  if (filling === undefined) return files.read(name);
  const elements = size(shape);
  for (let first = 0; first < elements; first += pieceElements)
    filling.put(files.read(name, { first, count: Math.min(pieceElements, elements - first) }), first);
  return filling.weight;
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
  return new Stepper(model.on(device), model.config, baseStep(model.config), [], model.weights);
}
