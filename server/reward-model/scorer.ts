/**
 * A reward model in memory, for all that ask it: one copy for each folder and device, closed when the last one has gone. What is
 * asked at the same time is read at once. A score does not depend on what else is read with it, so that a run that was stopped
 * goes on as it would have: rows have lengths of their own, and are filled up to one number.
 */
import { realpathSync, statSync } from 'node:fs';
import { tokenRow } from '../data/token-row.ts';
import { type Device, openDevice } from '../device/device.ts';
import type { State } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import { ColaError } from '../errors.ts';
import type { Graph } from '../graph/tensor.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat/chat.ts';
import { locateModel } from '../model/folder.ts';
import { LanguageModel, uploadWeights } from '../model/language-model.ts';
import { paddingOf, scoredPlace, scores } from '../model/scores.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { expectedTensors, scoreHead } from '../model/weights/weights.ts';
import type { ModelRewardOptions } from '../rewards/model.ts';
import { differences, readManifest } from '../store/manifest.ts';
import { rewardModelErrors } from './errors.ts';

/** Texts are filled up to a multiple of so many tokens: few programs, and little read in vain. */
const lengthStep = 32;

interface Asked {
  readonly ids: Int32Array;
  readonly signal: AbortSignal | undefined;
  done(score: number): void;
  fail(error: unknown): void;
}

/** Reward models in memory by folder, time of change and device, with how many use each. */
const open = new Map<string, { readonly made: Promise<Scorer>; users: number }>();

export class Scorer {
  private readonly programs = new ProgramCache<string>();
  private waiting: Asked[] = [];
  /** Ends when all that was asked is answered. */
  private running: Promise<void> | undefined;

  private constructor(
    readonly model: LanguageModel,
    readonly tokenizer: Tokenizer,
    readonly template: ChatTemplate | undefined,
    private readonly device: Device,
    private readonly weights: State,
  ) {}

  /** Takes the model from memory, or loads it. Every taking needs its own {@link Lease.release}. */
  static async take(path: string, device: ModelRewardOptions['device']): Promise<Lease> {
    const folder = locateModel(path);
    const key = keyOf(folder, device);
    const held = open.get(key) ?? { made: Scorer.load(folder, device), users: 0 };
    open.set(key, held);
    held.users++;
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      if (--held.users > 0) return;
      open.delete(key);
      const scorer = await held.made.catch(() => undefined);
      await scorer?.dispose();
    };
    try {
      return { scorer: await held.made, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  private static async load(folder: string, name: ModelRewardOptions['device']): Promise<Scorer> {
    const manifest = await readManifest(folder);
    const damage = manifest === undefined ? [] : await differences(folder, manifest, 'anything');
    if (damage.length > 0) throw rewardModelErrors.damaged(folder, damage);
    const model = await LanguageModel.load(folder, { form: 'scores' });
    if (model.tokenizer === undefined) throw rewardModelErrors.noTokenizer(folder);
    const template = templateIn(folder);
    const { device } = await openDevice(name);
    try {
      const tensors = [...expectedTensors(model.config), scoreHead(model.config)];
      const weights = await uploadWeights(device, model.weights, tensors);
      return new Scorer(model, model.tokenizer, template, device, weights);
    } catch (error) {
      await device.dispose();
      throw error;
    }
  }

  /** Tokens that it can read at most. */
  get longest(): number {
    return this.model.config.maxPositionEmbeddings;
  }

  /** Token ids of a prompt and its answer, as the model was taught to read them. */
  encode(row: Parameters<typeof tokenRow>[0], chat: boolean | undefined): Int32Array {
    const [endId] = this.model.endIds;
    const template = chat === false ? undefined : this.template;
    const { prompt, response } = tokenRow(row, this.tokenizer, template, endId ?? 0);
    return Int32Array.from([...Array.from(prompt), ...Array.from(response)]);
  }

  /** The score of a text. @param batch texts that are read at once @throws the signal's reason */
  score(ids: Int32Array, batch: number, signal: AbortSignal | undefined): Promise<number> {
    return new Promise((done, fail) => {
      this.waiting.push({ ids, signal, done, fail });
      this.running ??= this.run(batch);
    });
  }

  private async run(batch: number): Promise<void> {
    // Whatever asks in the same moment is read together.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      const [first] = this.waiting;
      const length = this.filled(first.ids.length);
      const picked = this.waiting.filter(({ ids }) => this.filled(ids.length) === length).slice(0, batch);
      this.waiting = this.waiting.filter((asked) => !picked.includes(asked));
      await this.read(picked, length, batch);
    }
    this.running = undefined;
  }

  private filled(length: number): number {
    return Math.min(this.longest, Math.ceil(length / lengthStep) * lengthStep);
  }

  private async read(asked: readonly Asked[], length: number, batch: number): Promise<void> {
    const going = asked.filter(({ signal, fail }) => {
      if (signal?.aborted === true) fail(signal.reason);
      return signal?.aborted !== true;
    });
    if (going.length === 0) return;
    const { config } = this.model;
    const ids = new Int32Array(batch * length).fill(paddingOf(this.model));
    const places = Int32Array.from({ length: batch }, (_, row) => row * length);
    for (const [row, { ids: own }] of going.entries()) {
      ids.set(own, row * length);
      places[row] += scoredPlace(own, config.padTokenId);
    }
    try {
      const build = (graph: Graph) => {
        const tokens = graph.input('ids', 'int32', [batch, length]);
        return { found: scores(graph, config, tokens, graph.input('places', 'int32', [batch])) };
      };
      const program = await this.programs.get(`${batch} ${length}`, () => this.device.program(build));
      const { found } = await program.run({ ids, places }, { states: [this.weights] });
      const values = await found.readFloats();
      for (const [row, { done }] of going.entries()) done(values[row]);
      found.release();
    } catch (error) {
      for (const { fail } of going) fail(error);
    }
  }

  private async dispose(): Promise<void> {
    await this.running;
    await this.programs.dispose();
    this.weights.dispose();
    await this.device.dispose();
  }
}

/** A reward model that somebody uses. */
export interface Lease {
  readonly scorer: Scorer;
  /** Calling it twice is harmless. */
  release(): Promise<void>;
}

/** A folder that was written anew is another model. */
function keyOf(folder: string, device: string): string {
  try {
    const real = realpathSync(folder);
    return `${real} ${statSync(real).mtimeMs} ${device}`;
  } catch {
    // Loading says what is wrong with it.
    return `${folder} ${device}`;
  }
}

function templateIn(folder: string): ChatTemplate | undefined {
  try {
    return loadChatTemplate(folder);
  } catch (error) {
    if (error instanceof ColaError && error.id === 'chat.noTemplate') return undefined;
    throw error;
  }
}
