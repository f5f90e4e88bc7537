/** A model that is measured: loaded from a folder, with its weights on a device. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModuleName } from '../cola/config.ts';
import { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { State } from '../device/program.ts';
import { LanguageModel } from '../model/language-model.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import { resolvePath } from '../spec/paths.ts';
import { DeviceWeights } from '../train/optimizer/weights.ts';
import type { Actor } from '../train/reinforce/actor.ts';
import { LatentActor } from '../train/reinforce/latent-actor.ts';
import type { Chooser } from '../train/reinforce/sampler.ts';
import { TokenActor } from '../train/reinforce/token-actor.ts';
import type { FrozenData } from '../train/run/frozen.ts';
import type { StageContext } from '../train/stage.ts';

/** What chooses at each step: the policy over latent actions, or the base over tokens. */
export type Decoding = 'actions' | 'tokens';

export interface SubjectOptions {
  /** By default actions where the model has a policy. */
  readonly decoding?: Decoding | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The file whose folder paths of data are relative to; what is in the current folder, if not given. */
  readonly specFile?: string | undefined;
  readonly seed?: number;
  /** Where tokens of data sets are kept; a folder that goes with the subject, if not given. */
  readonly cacheFolder?: string | undefined;
  /** Data as the run of the model began with it. */
  readonly frozen?: FrozenData | undefined;
  readonly say?: (text: string) => void;
  /** Where models of the same folder share their weights. */
  readonly shelf?: WeightShelf | undefined;
  /** The form the weights of the base are kept in; float32, if not given. */
  readonly precision?: PrecisionChoice | undefined;
}

export class Subject {
  private constructor(
    readonly folder: string,
    readonly context: StageContext,
    readonly decoding: Decoding,
    private readonly temporary: string | undefined,
  ) {}

  /** @throws cola.*, config.*, weights.*, safetensors.*, tokenizer.* */
  static async load(computes: Device, folder: string, options: SubjectOptions = {}): Promise<Subject> {
    const { shelf, precision, say } = options;
    const read = { shelf, precision, say };
    const cola = ColaModel.exists(folder) ? await ColaModel.load(folder, read) : undefined;
    const base = cola?.base ?? (await LanguageModel.load(folder, read));
    // A measure is of the model, not of a shortcut.
    const device = base.on(computes, true);
    const weights = new DeviceWeights(device);
    await weights.add(base.weights, base.plainTensors);
    if (cola !== undefined) await weights.add(cola.weights, cola.tensors);
    const latent = cola?.has('world') === true && cola.has('policy');
    const temporary = options.cacheFolder === undefined ? mkdtempSync(join(tmpdir(), 'cola-tokens-')) : undefined;
    const specFile = options.specFile ?? join(process.cwd(), 'evaluate');
    const context: StageContext = {
      device,
      base,
      cola,
      weights,
      seed: options.seed ?? 0,
      resolve: (path) => resolvePath(path, specFile),
      cacheFolder: options.cacheFolder ?? temporary ?? tmpdir(),
      frozen: options.frozen,
      signal: options.signal ?? new AbortController().signal,
      say: options.say ?? (() => {}),
    };
    return new Subject(folder, context, latent && options.decoding !== 'tokens' ? 'actions' : 'tokens', temporary);
  }

  get device(): Device {
    return this.context.device;
  }
  get base(): LanguageModel {
    return this.context.base;
  }
  get weights(): State {
    return this.context.weights.state;
  }
  get signal(): AbortSignal {
    return this.context.signal;
  }

  /** The model with latent actions if it has the named modules. */
  with(...modules: ModuleName[]): ColaModel | undefined {
    const { cola } = this.context;
    return cola !== undefined && modules.every((module) => cola.has(module)) ? cola : undefined;
  }

  /** What answers prompts. The caller disposes it. */
  actor(topK: number): Actor & Chooser {
    const { cola } = this.context;
    return this.decoding === 'actions' && cola !== undefined
      ? new LatentActor(this.context, cola, false, topK)
      : new TokenActor(this.context, [], false);
  }

  dispose(): void {
    this.context.weights.dispose();
    if (this.temporary !== undefined) rmSync(this.temporary, { recursive: true, force: true });
  }
}
