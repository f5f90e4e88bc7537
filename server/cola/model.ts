/** A base with latent actions: a Hugging Face folder plus `cola.json` and `cola.safetensors`. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../files/atomic.ts';
import { firstNonFinite } from '../files/floats.ts';
import { hasBase } from '../files/model-files.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { type SavedDtype, writeSafetensors } from '../files/safetensors-writer.ts';
import { locateModel, refuseFolder } from '../model/folder.ts';
import { CONFIG_BYTES, readModelText } from '../model/json.ts';
import { LanguageModel, type LoadModelOptions, type WeightMap } from '../model/language-model.ts';
import { SharedWeights } from '../model/weights/shelf.ts';
import { type ExpectedTensor, refuseAbsurd } from '../model/weights/weights.ts';
import { type ColaConfig, isNarrow, type ModuleName, moduleWeights, parseColaConfig } from './config.ts';
import { colaErrors } from './errors.ts';

const COLA_JSON = 'cola.json';
const COLA_WEIGHTS = 'cola.safetensors';

export class ColaModel {
  constructor(
    readonly folder: string,
    readonly base: LanguageModel,
    readonly config: ColaConfig,
    /** Weights of the added modules, by name. */
    readonly weights: Map<string, Float32Array>,
    /** The rest of `cola.json`: settings and figures of the stages. */
    readonly notes: Readonly<Record<string, unknown>>,
    /** Which of the weights of its modules other models may have too. */
    readonly shared = new SharedWeights(weights),
  ) {}

  static exists(folder: string): boolean {
    return existsSync(join(locateModel(folder), COLA_JSON));
  }

  /**
   * The base is the folder itself, or its `base` entry in `cola.json`, or the folder `base` inside it.
   *
   * @param path the folder, or what {@link locateModel} finds it by
   * @throws cola.*, and whatever {@link LanguageModel.load} throws
   */
  static async load(path: string, options: Omit<LoadModelOptions, 'form'> = {}): Promise<ColaModel> {
    const { shelf } = options;
    const folder = locateModel(path);
    const file = join(folder, COLA_JSON);
    const text = readModelText(file, CONFIG_BYTES);
    if (text === undefined) {
      if (!existsSync(join(folder, COLA_WEIGHTS)) && !hasBase(folder)) refuseFolder(folder);
      throw colaErrors.noCola(folder);
    }
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw colaErrors.config(file, '', error instanceof Error ? error.message : String(error));
    }
    const config = parseColaConfig(json, file, hasBase(folder) ? '.' : 'base');
    const base = await LanguageModel.load(join(folder, config.base), options);
    const read = () => readModules(join(folder, COLA_WEIGHTS), base, config);
    const weights = shelf === undefined ? read() : shelf.take([folder, base.folder], 'modules', read);
    const shared = new SharedWeights(weights, new Set(shelf === undefined ? [] : weights.keys()));
    return new ColaModel(folder, base, config, weights, json as Record<string, unknown>, shared);
  }

  /**
   * Whether it is to read what stands behind the cursor too, as far as its tokenizer has the marks for it. `"fill_in": false` in
   * `cola.json` says of a model that it was measured and goes on better from the text before alone.
   */
  get fillsIn(): boolean {
    return this.notes.fill_in !== false;
  }

  /** The same latent actions on another base. */
  on(base: LanguageModel): ColaModel {
    return base === this.base
      ? this
      : new ColaModel(this.folder, base, this.config, this.weights, this.notes, this.shared);
  }

  /** Which groups of weights are there. */
  has(module: ModuleName): boolean {
    return this.tensorsOf(module).every(({ name }) => this.weights.has(name));
  }

  /** @throws cola.missing if one of the modules has not been trained yet */
  require(...modules: ModuleName[]): void {
    for (const module of modules) {
      const missing = this.tensorsOf(module).filter(({ name }) => !this.weights.has(name));
      if (missing.length > 0)
        throw colaErrors.missing(
          this.folder,
          module,
          missing.map(({ name }) => name),
        );
    }
  }

  tensorsOf(module: ModuleName): ExpectedTensor[] {
    return moduleWeights(this.base.config, this.config)[module];
  }

  /** All added tensors that are there. */
  get tensors(): ExpectedTensor[] {
    const groups = Object.values(moduleWeights(this.base.config, this.config));
    return groups.flat().filter(({ name }) => this.weights.has(name));
  }

  /** Base and added weights together, as a decoder needs them; without those that the base keeps in another form. */
  get allWeights(): WeightMap {
    return new Map([...this.base.weights, ...this.weights]);
  }

  /**
   * Writes the whole model to a folder.
   *
   * @param notes merged into `cola.json`
   */
  async save(
    folder: string,
    options: { dtype?: SavedDtype; notes?: Readonly<Record<string, unknown>> } = {},
  ): Promise<void> {
    const dtype = options.dtype ?? 'F32';
    await mkdir(folder, { recursive: true });
    await this.base.save(folder, this.base.weights, dtype);
    const entries = this.tensors.map(({ name, shape }) => ({ name, shape, dtype, data: () => this.weight(name) }));
    await writeSafetensors(join(folder, COLA_WEIGHTS), entries);
    const { config } = this;
    const json = {
      ...this.notes,
      ...options.notes,
      num_codes: config.numCodes,
      idm_layers: config.idmLayers,
      policy_layers: config.policyLayers,
      merge_layers: config.mergeLayers,
      ...(isNarrow(this.base.config, config) ? { width: config.width } : {}),
      world_residual: config.worldResidual,
      base: '.',
    };
    // Last, so that a folder with cola.json is complete.
    await writeFileAtomic(join(folder, COLA_JSON), `${JSON.stringify(json, null, 2)}\n`);
  }

  weight(name: string): Float32Array {
    const data = this.weights.get(name);
    if (data === undefined) throw new Error(`no weight ${name}`);
    return data;
  }
}

function readModules(path: string, base: LanguageModel, config: ColaConfig): Map<string, Float32Array> {
  const groups = Object.values(moduleWeights(base.config, config));
  const expected = new Map(groups.flat().map(({ name, shape }) => [name, shape]));
  const weights = new Map<string, Float32Array>();
  using file = SafetensorsFile.open(path);
  const extra = [...file.names].filter((name) => !expected.has(name));
  if (extra.length > 0) throw colaErrors.extra(path, extra);
  for (const name of file.names) {
    const { shape } = file.info(name);
    const wanted = expected.get(name) ?? [];
    if (shape.join() !== wanted.join()) throw colaErrors.shape(path, name, shape, wanted);
    const values = file.readFloat32(name);
    if (firstNonFinite(values) >= 0) throw colaErrors.notFinite(path, name);
    refuseAbsurd(path, name, values);
    weights.set(name, values);
  }
  return weights;
}
