/** A model that answers many at once. */
import { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { type ChatTemplate, loadChatTemplate } from '../model/chat.ts';
import { rowSeed } from '../model/generate.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { modelErrors } from '../model/model-errors.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { Random } from '../random.ts';
import type { Part, Usage } from './answers.ts';
import { type Answer, Batch } from './batch.ts';
import { serveErrors } from './errors.ts';
import { chanceOf, type TokenChance } from './log-probabilities.ts';
import { bounds, type ChatRequest, type CompletionRequest, type Manner } from './requests.ts';
import { ActionVoice, type Chosen, TokenVoice } from './voice.ts';
import { Writing } from './writing.ts';

export interface ServiceOptions {
  /** What the model is called. */
  readonly name: string;
  /** Answers that are decoded together at most. */
  readonly parallel: number;
  /** Answers that may wait. */
  readonly waiting: number;
}

/** Receives the parts of the answers as they come. */
export type Sink = (part: Part) => void;

type Decoding = 'actions' | 'tokens';

export class Service {
  private readonly batches = new Map<Decoding, Batch>();
  private readonly base: LanguageModel;
  readonly tokenizer: Tokenizer;
  private template: ChatTemplate | undefined;
  private wake: (() => void) | undefined;
  private ended = false;
  private readonly loop: Promise<void>;

  /** @throws model.noTokenizer */
  constructor(
    private readonly device: Device,
    private readonly model: ColaModel | LanguageModel,
    private readonly options: ServiceOptions,
  ) {
    this.base = model instanceof ColaModel ? model.base : model;
    const { tokenizer } = this.base;
    if (tokenizer === undefined) throw modelErrors.noTokenizer(this.base.folder);
    this.tokenizer = tokenizer;
    this.loop = this.run();
  }

  get name(): string {
    return this.options.name;
  }

  /** The policy, where the model has one. */
  private get actor(): ColaModel | undefined {
    const { model } = this;
    return model instanceof ColaModel && model.has('world') && model.has('policy') ? model : undefined;
  }

  /** How answers are decoded where a request does not say. */
  get decoding(): Decoding {
    return this.actor === undefined ? 'tokens' : 'actions';
  }

  /** Answers that wait or are written. */
  get load(): number {
    return [...this.batches.values()].reduce((sum, batch) => sum + batch.load, 0);
  }

  get context(): number {
    return this.base.config.maxPositionEmbeddings;
  }

  get latentActions(): number {
    return this.actor?.config.numCodes ?? 0;
  }

  /** @throws serve.*, tokenizer.* */
  complete(request: CompletionRequest, client: string, signal: AbortSignal, sink: Sink): Promise<Usage> {
    const prompts = request.prompts.map((prompt) =>
      typeof prompt === 'string' ? this.tokenizer.encode(prompt) : this.checked(prompt),
    );
    return this.answer(request, prompts, request.maxTokens ?? 16, request.echo, client, signal, sink);
  }

  /** @throws serve.*, chat.*, tokenizer.* */
  chat(request: ChatRequest, client: string, signal: AbortSignal, sink: Sink): Promise<Usage> {
    this.template ??= loadChatTemplate(this.base.folder);
    const { ids } = this.template.encodePrompt(request.messages, this.tokenizer);
    const room = this.context - ids.length;
    return this.answer(request, [ids], request.maxTokens ?? Math.max(1, room), false, client, signal, sink);
  }

  private checked(ids: readonly number[]): Int32Array {
    const { vocabSize } = this.base.config;
    const wrong = ids.find((id) => id >= vocabSize);
    if (wrong !== undefined) throw modelErrors.idOutOfRange(wrong, vocabSize);
    return Int32Array.from(ids);
  }

  private async answer(
    request: Manner,
    prompts: readonly Int32Array[],
    maxTokens: number,
    echo: boolean,
    client: string,
    signal: AbortSignal,
    sink: Sink,
  ): Promise<Usage> {
    const decoding = this.decodingOf(request);
    for (const prompt of prompts) {
      if (prompt.length === 0) throw serveErrors.emptyPrompt();
      if (prompt.length + maxTokens > this.context) throw serveErrors.tooLong(prompt.length + maxTokens, this.context);
    }
    const rows = prompts.length * request.n;
    if (rows > bounds.answers) throw serveErrors.tooMany(rows, bounds.answers);
    const batch = this.batch(decoding);
    const waiting = [...this.batches.values()].reduce((sum, each) => sum + each.waiting, 0);
    if (waiting + rows > this.options.waiting) throw serveErrors.busy(waiting);
    const used = { prompt: 0, completion: 0 };
    const orders = prompts.map((prompt, at) => {
      used.prompt += prompt.length;
      return this.order(batch, { request, prompt, at, maxTokens, echo, client, signal, sink, used });
    });
    this.wake?.();
    await Promise.all(orders);
    return used;
  }

  private order(batch: Batch, asked: Asked): Promise<void> {
    const { request, prompt, at, maxTokens, echo, client, signal, sink } = asked;
    const { n } = request;
    const answers = Array.from({ length: n }, (_, i) => new Written(this.base, this.tokenizer, asked, at * n + i));
    const before = echo ? this.tokenizer.decode(prompt, { skipSpecialTokens: true }) : '';
    const finish = maxTokens === 0 ? 'length' : null;
    const told = (chances: readonly TokenChance[]) => {
      if (!echo && finish === null) return;
      const shown = echo ? [{ id: prompt[0], logp: null, top: [] }, ...chances] : [];
      const part = { text: before, finish, ...(request.logprobs === undefined ? {} : { chances: shown }) } as const;
      for (const { index } of answers) sink({ index, ...part });
    };
    return new Promise((done, failed) =>
      batch.add({
        client,
        prompt,
        answers: maxTokens === 0 ? [] : answers,
        maxTokens,
        ...(echo && request.logprobs !== undefined ? { echoLogprobs: request.logprobs } : {}),
        signal,
        takePrompt: told,
        done,
        failed,
      }),
    );
  }

  private decodingOf(request: Manner): Decoding {
    const { model, ban, pin, tellActions, logprobs, topP } = request;
    if (model !== undefined && model !== this.name) throw serveErrors.noModel(model, this.name);
    const wanted = [
      ...(request.decoding === 'actions' ? ['decoding'] : []),
      ...(pin.length > 0 ? ['pin'] : []),
      ...(ban.length > 0 ? ['ban'] : []),
      ...(tellActions ? ['latent_actions'] : []),
    ];
    const { actor } = this;
    const byTokens = [
      ...(request.decoding === 'tokens' ? ['decoding'] : []),
      ...(logprobs === undefined ? [] : ['logprobs']),
      ...(topP === undefined || topP === 1 ? [] : ['top_p']),
      ...(request.topK === undefined || request.topK === 0 ? [] : ['top_k']),
    ];
    if (wanted.length === 0) return byTokens.length > 0 ? 'tokens' : this.decoding;
    if (actor === undefined) throw serveErrors.noActions(wanted[0], this.name);
    if (byTokens.length > 0) throw serveErrors.tokensOnly(byTokens[0]);
    const { numCodes } = actor.config;
    const unknown = [...pin, ...ban].find((code) => code >= numCodes);
    if (unknown !== undefined) throw serveErrors.unknownAction(unknown, numCodes);
    if (new Set(ban).size === numCodes) throw serveErrors.allBanned();
    return 'actions';
  }

  private batch(decoding: Decoding): Batch {
    const known = this.batches.get(decoding);
    if (known !== undefined) return known;
    const { actor, base, device } = this;
    const voice =
      decoding === 'actions' && actor !== undefined ? new ActionVoice(device, actor) : new TokenVoice(device, base);
    const { vocabSize } = base.config;
    const chance = (logits: Float32Array, start: number, id: number, k: number) =>
      chanceOf(logits, start, vocabSize, id, k);
    const batch = new Batch(voice, this.options.parallel, chance, vocabSize);
    this.batches.set(decoding, batch);
    return batch;
  }

  private async run(): Promise<void> {
    while (!this.ended) {
      let more = false;
      for (const batch of this.batches.values()) more = (await batch.step()) || more;
      // A run of the device blocks: what came in meanwhile is looked at.
      if (more) await new Promise<void>((next) => setImmediate(next));
      else if (!this.ended)
        await new Promise<void>((next) => {
          this.wake = next;
        });
    }
  }

  async close(): Promise<void> {
    this.ended = true;
    this.wake?.();
    await this.loop;
    for (const batch of this.batches.values()) await batch.close(serveErrors.ending());
  }
}

interface Asked {
  readonly request: Manner;
  readonly prompt: Int32Array;
  /** Which of the request's prompts it is. */
  readonly at: number;
  readonly maxTokens: number;
  readonly echo: boolean;
  readonly client: string;
  readonly signal: AbortSignal;
  readonly sink: Sink;
  readonly used: { prompt: number; completion: number };
}

/** One answer while it is written. */
class Written implements Answer {
  readonly random: Random;
  readonly sampling;
  readonly pinned;
  readonly banned;
  readonly logprobs?: number;
  length = 0;
  private readonly writing: Writing;
  private actions: number[] = [];
  private chances: TokenChance[] = [];

  constructor(
    private readonly base: LanguageModel,
    tokenizer: Tokenizer,
    private readonly asked: Asked,
    readonly index: number,
  ) {
    const { request } = asked;
    const seed = request.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.random = new Random(rowSeed(seed, index));
    this.sampling = { temperature: request.temperature, topK: request.topK ?? 0, topP: request.topP ?? 1 };
    this.pinned = request.pin;
    this.banned = request.ban;
    if (request.logprobs !== undefined) this.logprobs = request.logprobs;
    this.writing = new Writing(tokenizer, request.stop);
  }

  take({ id, action, chance }: Chosen): boolean {
    const { request, maxTokens, used } = this.asked;
    this.length++;
    used.completion++;
    if (action !== undefined && request.tellActions) this.actions.push(action);
    if (chance !== undefined) this.chances.push(chance);
    if (this.base.endIds.has(id)) return this.end('stop', '');
    const text = this.writing.push(id);
    if (this.writing.stopped) return this.end('stop', text);
    if (this.length === maxTokens) return this.end('length', text);
    // Nothing to show yet: a part of a character, or what may become a stop text.
    if (text !== '') this.emit(text, null);
    return true;
  }

  private end(finish: 'stop' | 'length', text: string): false {
    this.emit(text + this.writing.end(), finish);
    return false;
  }

  private emit(text: string, finish: Part['finish']): void {
    const { request, sink } = this.asked;
    sink({
      index: this.index,
      text,
      finish,
      ...(request.logprobs === undefined ? {} : { chances: this.chances }),
      ...(request.tellActions ? { actions: this.actions } : {}),
    });
    this.chances = [];
    this.actions = [];
  }
}
