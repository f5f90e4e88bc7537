/** A model that answers many at once. */
import { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { modelErrors } from '../model/model-errors.ts';
import { noTokenizer } from '../model/tokenizer/no-tokenizer.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { Usage } from './answers.ts';
import { Batch } from './batch.ts';
import { serveErrors } from './errors.ts';
import { chanceOf, type TokenChance } from './log-probabilities.ts';
import { bounds, type ChatRequest, type CompletionRequest, type Manner } from './requests.ts';
import { Speech } from './speech.ts';
import { ActionVoice, TokenVoice } from './voice.ts';
import { type Asked, type Sink, Written } from './written.ts';

export interface ServiceOptions {
  /** What the model is called. */
  readonly name: string;
  /** Answers that are decoded together at most. */
  readonly parallel: number;
  /** Answers that may wait. */
  readonly waiting: number;
  /** Takes a step of the answers, when it is their turn. Each at once, where nobody else computes. */
  readonly pace?: (step: () => Promise<boolean>) => Promise<boolean>;
}

type Decoding = 'actions' | 'tokens';

export class Service {
  private readonly batches = new Map<Decoding, Batch>();
  private readonly base: LanguageModel;
  readonly tokenizer: Tokenizer;
  private readonly speech: Speech;
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
    if (tokenizer === undefined) throw noTokenizer(this.base.folder);
    this.tokenizer = tokenizer;
    this.speech = new Speech(this.base.folder, options.name, tokenizer);
    this.loop = this.run();
    this.loop.catch((error: unknown) => this.end(error));
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
    const maxTokens = request.maxTokens ?? 16;
    return this.answer(prompts, { request, maxTokens, echo: request.echo, client, signal, sink });
  }

  /** @throws serve.*, chat.*, tokenizer.* */
  chat(request: ChatRequest, client: string, signal: AbortSignal, sink: Sink): Promise<Usage> {
    const { ids, reading } = this.speech.prompt(request);
    const room = Math.max(1, this.context - ids.length);
    const { maxTokens: asked = room, atMost } = request;
    const maxTokens = atMost === true ? Math.min(asked, room) : asked;
    const tools = reading === undefined ? {} : { reading };
    return this.answer([ids], { request, maxTokens, echo: false, client, signal, sink, ...tools });
  }

  private checked(ids: readonly number[]): Int32Array {
    const { vocabSize } = this.base.config;
    const wrong = ids.find((id) => id >= vocabSize);
    if (wrong !== undefined) throw modelErrors.idOutOfRange(wrong, vocabSize);
    return Int32Array.from(ids);
  }

  private async answer(prompts: readonly Int32Array[], asked: Omit<Asked, 'prompt' | 'at' | 'used'>): Promise<Usage> {
    const { request, maxTokens } = asked;
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
      return this.order(batch, { ...asked, prompt, at, used });
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
    const { pace = (step) => step() } = this.options;
    while (!this.ended) {
      let more = false;
      for (const batch of this.batches.values()) more = (await pace(() => batch.step())) || more;
      // A run of the device blocks: what came in meanwhile is looked at.
      if (more) await new Promise<void>((next) => setImmediate(next));
      else if (!this.ended)
        await new Promise<void>((next) => {
          this.wake = next;
        });
    }
  }

  /** No step is taken any more: nobody waits for one. */
  private end(reason: unknown): void {
    this.ended = true;
    for (const batch of this.batches.values()) batch.fail(reason);
  }

  async close(): Promise<void> {
    this.ended = true;
    this.wake?.();
    // Whoever sets the pace may have ended it.
    await this.loop.catch(() => {});
    for (const batch of this.batches.values()) await batch.close(serveErrors.ending());
  }
}
