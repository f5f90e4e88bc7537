/** The model that completes: its weights, a device, the steps it decodes with, and the text it has read. */
import { readLabels, readUsage } from '../cola/actions-file.ts';
import { ColaModel } from '../cola/model.ts';
import { type Attempt, type Device, sharedFrom } from '../device/device.ts';
import { Devices, type TakenDevice } from '../device/devices.ts';
import type { State } from '../device/program.ts';
import { fingerprintOf } from '../feedback/model.ts';
import { holdWeights } from '../model/language-model.ts';
import { otherTokenizer } from '../model/tokenizer/no-tokenizer.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { ModelInfo } from '../protocol/model.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import { BranchReader, tokensAtOnce } from './branch-reader.ts';
import { Drafts } from './drafts.ts';
import { completionErrors } from './errors.ts';
import { Vocabulary } from './healing.ts';
import { Locator } from './locate.ts';
import { PolicyReader } from './policy-scores.ts';
import { PolicySlot } from './policy-slot.ts';
import { PrefixCache } from './prefix-cache.ts';
import { type FillMarks, fillMarks } from './prompt.ts';

/** Longest text the model is asked to read, in tokens. */
const longestContext = 2048;

/** Slots for alternatives behind the text: eight of 48 tokens, and guesses. For more there is more room once it is asked for. */
const branchRoom = 8 * 48 + tokensAtOnce;

/** Logits of all tokens under all codes, up to which they are looked through for where a word goes on. */
const lookedThrough = 8e6;

function vocabularyOf({ config, base }: ColaModel, tokenizer: Tokenizer): Vocabulary | undefined {
  const { vocabSize } = base.config;
  return config.numCodes * vocabSize > lookedThrough ? undefined : new Vocabulary(tokenizer, vocabSize);
}

function contextOf(cola: ColaModel): number {
  return Math.min(cola.base.config.maxPositionEmbeddings, longestContext);
}

export interface LoadOptions {
  readonly folder: string;
  readonly device: string;
  readonly threads?: number | undefined;
  /** Where models of the same folder share their weights. */
  readonly shelf?: WeightShelf | undefined;
  /** Where the device is taken from; one of its own, if not given. */
  readonly devices?: Devices | undefined;
  /** The form the weights of the base are kept in; float32, if not given. */
  readonly precision?: PrecisionChoice | undefined;
}

/** What is there once a model is loaded. */
type Part =
  | ('cola' | 'device' | 'tokenizer' | 'labels' | 'marks' | 'vocabulary')
  | ('prefix' | 'states' | 'attempts' | 'policy' | 'fingerprint');

export class LoadedModel {
  private users = 1;
  /** Says where in a text actions fire; compiled when it is first asked. */
  readonly locator = new Locator(this);
  /** Asks other policies; the same. */
  readonly policyReader = new PolicyReader(this);
  /** What its completions are likely to be. */
  readonly drafts = new Drafts();

  readonly cola: ColaModel;
  readonly device: Device;
  readonly tokenizer: Tokenizer;
  readonly labels: readonly (string | null)[];
  /** Undefined where it does not fill in, or writes worse for it. */
  readonly marks: FillMarks | undefined;
  /** Undefined where it would take too long to look where a word goes on. */
  readonly vocabulary: Vocabulary | undefined;
  readonly prefix: PrefixCache;
  /** Weights that are inputs of programs; those that are not there are compiled in. */
  readonly states: readonly State[];
  /** Devices that were tried before, and why they were not taken. */
  readonly attempts: readonly Attempt[];
  readonly policy: PolicySlot;
  /** Which model feedback on its completions belongs to. */
  readonly fingerprint: string;

  /** @param taken the device, where it goes with the model */
  private constructor(
    parts: Pick<LoadedModel, Part>,
    private readonly taken: TakenDevice | undefined,
  ) {
    this.cola = parts.cola;
    this.device = parts.device;
    this.tokenizer = parts.tokenizer;
    this.labels = parts.labels;
    this.marks = parts.marks;
    this.vocabulary = parts.vocabulary;
    this.prefix = parts.prefix;
    this.states = parts.states;
    this.attempts = parts.attempts;
    this.policy = parts.policy;
    this.fingerprint = parts.fingerprint;
  }

  /** @throws engine.noTokenizer, model.otherTokenizer, device.*, cola.*, and whatever loading the base throws */
  static async load(options: LoadOptions): Promise<LoadedModel> {
    const { folder, device: name, threads, shelf, devices = new Devices(), precision } = options;
    const cola = await ColaModel.load(folder, { shelf, precision });
    const taken = await devices.take(name, threads === undefined ? {} : { threads });
    try {
      return await LoadedModel.on(taken.device, cola, taken);
    } catch (error) {
      await taken.release();
      throw error;
    }
  }

  /**
   * A model whose weights are read, on a device that is open.
   *
   * @param taken given with a device that goes with it
   * @throws engine.noTokenizer, model.otherTokenizer, cola.missing
   */
  static async on(computes: Device, cola: ColaModel, taken?: TakenDevice): Promise<LoadedModel> {
    const { folder } = cola;
    const device = cola.base.on(computes);
    const { tokenizer } = cola.base;
    if (tokenizer === undefined) throw otherTokenizer(folder) ?? completionErrors.noTokenizer(folder);
    cola.require('world', 'policy');
    let bytes = 0;
    for (const values of cola.allWeights.values()) bytes += values.byteLength;
    const tensors = [...cola.base.plainTensors, ...cola.tensors];
    const policy = await PolicySlot.create(device, cola);
    const fixed = tensors.filter(({ name }) => !policy.names.has(name));
    const live = bytes > sharedFrom ? [await holdWeights(device, cola.allWeights, fixed)] : [];
    const states = [policy.state, ...live];
    const context = contextOf(cola);
    const reader = new BranchReader(device, cola, context + branchRoom, states);
    await reader.prepare();
    const labels = readLabels(folder, cola.config.numCodes);
    const parts = {
      cola,
      device,
      tokenizer,
      labels,
      marks: cola.fillsIn ? fillMarks(tokenizer) : undefined,
      vocabulary: vocabularyOf(cola, tokenizer),
      prefix: new PrefixCache(reader),
      states,
      attempts: taken?.attempts ?? [],
      policy,
      fingerprint: fingerprintOf(cola),
    };
    return new LoadedModel(parts, taken);
  }

  /** Longest sequence it is used for, in tokens. */
  get context(): number {
    return contextOf(this.cola);
  }

  get info(): ModelInfo {
    return {
      folder: this.cola.folder,
      device: this.device.name,
      codes: this.cola.config.numCodes,
      labels: [...this.labels],
      usage: readUsage(this.cola.folder, this.cola.config.numCodes),
      context: this.context,
      fillsIn: this.marks !== undefined,
    };
  }

  /** Ids that end an answer: a model that knows the marks of filling in may also begin the next part. */
  get endIds(): ReadonlySet<number> {
    const marks = fillMarks(this.tokenizer);
    return new Set([
      ...this.cola.base.endIds,
      ...(marks === undefined ? [] : [marks.prefix, marks.suffix, marks.middle]),
    ]);
  }

  /** What was read and written with another policy counts no more. */
  forget(): void {
    this.prefix.forget();
    this.drafts.forget();
  }

  /** Keeps it in memory until `release`. */
  retain(): this {
    this.users++;
    return this;
  }

  /** Frees everything once the last one has let go. */
  async release(): Promise<void> {
    this.users--;
    if (this.users > 0) return;
    await this.prefix.dispose();
    await this.locator.dispose();
    await this.policyReader.dispose();
    for (const state of this.states) state.dispose();
    await this.taken?.release();
  }
}
