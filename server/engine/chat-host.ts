/**
 * Conversations. Their model need not be the one that completes, and is in memory from its first answer until it has not been asked
 * for a while, or another is. Its steps are jobs of the lane `interactive`, so that completions go between them.
 */
import { ColaModel } from '../cola/model.ts';
import type { Devices, TakenDevice } from '../device/devices.ts';
import { LanguageModel } from '../model/language-model.ts';
import { loadTokenizer, type Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { Channel } from '../protocol/channel/channel.ts';
import type { ProgressOf, ResultOf } from '../protocol/channel/request.ts';
import { type ChatParams, chat, countChat } from '../protocol/chat.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { ChatRequest } from '../serve/requests.ts';
import { Service } from '../serve/service.ts';
import { newCallId, shortId } from '../serve/tool-requests.ts';
import { resolveModel } from '../spec/paths.ts';
import { tokenizerFolder } from '../train/run/spec-memory.ts';
import { engineErrors } from './errors.ts';

/** Answers that are written at once, and that may wait. */
const together = 4;
const line = 64;
/** Milliseconds after which a model that nobody asks is let go. */
const kept = 10 * 60_000;

interface Speaker {
  readonly key: string;
  readonly service: Service;
  readonly taken: TakenDevice;
}

export class ChatHost {
  private speaker: Speaker | undefined;
  private counter: { readonly folder: string; readonly tokenizer: Tokenizer } | undefined;
  /** Answers that are under way. */
  private answering = 0;
  /** Loading and letting go, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly shelf: WeightShelf,
    private readonly devices: Devices,
    private readonly trusted: boolean,
    channel: Channel,
  ) {
    channel.answer(chat, (params, signal, tell) => this.answer(params, signal, tell));
    channel.answer(countChat, async ({ folder, text }) => ({ tokens: this.count(folder, text) }));
  }

  /** Ends all answers. */
  async close(): Promise<void> {
    this.closed = true;
    await this.inOrder(() => this.release());
  }

  private async answer(
    params: ChatParams,
    signal: AbortSignal,
    tell: (progress: ProgressOf<typeof chat>) => void,
  ): Promise<ResultOf<typeof chat>> {
    this.answering++;
    clearTimeout(this.timer);
    try {
      const { service } = await this.inOrder(() => this.need(params));
      signal.throwIfAborted();
      let finish: 'stop' | 'length' = 'stop';
      const usage = await service.chat(requestOf(params), 'editor', signal, ({ text, calls = [], finish: end }) => {
        if (text !== '') tell({ text });
        for (const call of calls) tell({ call: { id: newCallId(), ...call } });
        finish = end ?? finish;
      });
      return { finish, prompt: usage.prompt, answer: usage.completion };
    } finally {
      this.answering--;
      this.forgetLater();
    }
  }

  private count(named: string, text: string): number {
    const folder = this.resolved(named);
    if (this.counter?.folder !== folder) this.counter = { folder, tokenizer: loadTokenizer(tokenizerFolder(folder)) };
    return this.counter.tokenizer.encode(text, { addSpecialTokens: false, controlTokens: false }).length;
  }

  /** @throws engine.untrusted for another model than the one in the box where the folder is not trusted */
  private resolved(named: string): string {
    const folder = resolveModel(named, '');
    if (!this.trusted && folder !== resolveModel('builtin:nano', ''))
      throw engineErrors.untrusted('A model other than the one in the box');
    return folder;
  }

  private async need({ folder: named, device: wanted, threads, precision }: ChatParams): Promise<Speaker> {
    if (this.closed) throw engineErrors.unloaded();
    const folder = this.resolved(named);
    const key = JSON.stringify([folder, wanted, threads, precision]);
    if (this.speaker?.key === key) return this.speaker;
    await this.release();
    const model = ColaModel.exists(folder)
      ? await ColaModel.load(folder, { shelf: this.shelf, precision })
      : await LanguageModel.load(folder, { shelf: this.shelf, precision });
    const taken = await this.devices.take(wanted, threads === undefined ? {} : { threads });
    try {
      const base = model instanceof ColaModel ? model.base : model;
      const pace = (step: () => Promise<boolean>) => this.scheduler.submit('interactive', () => once(step)).done;
      const service = new Service(base.on(taken.device), model, {
        name: named,
        parallel: together,
        waiting: line,
        pace,
      });
      this.speaker = { key, service, taken };
      return this.speaker;
    } catch (error) {
      await taken.release();
      throw error;
    }
  }

  private forgetLater(): void {
    if (this.answering > 0 || this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.inOrder(async () => this.answering === 0 && (await this.release())), kept);
    this.timer.unref();
  }

  private async release(): Promise<void> {
    const { speaker } = this;
    this.speaker = undefined;
    clearTimeout(this.timer);
    await speaker?.service.close();
    await speaker?.taken.release();
  }

  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.turn.then(work);
    this.turn = turn.catch(() => {});
    return turn;
  }
}

// biome-ignore lint/correctness/useYield: a job of one step
async function* once(step: () => Promise<boolean>) {
  return await step();
}

function requestOf({ messages, tools, demanded, maxTokens, temperature, seed, control }: ChatParams): ChatRequest {
  const { mode } = control;
  const [only] = tools.length === 1 ? tools : [];
  return {
    messages: messages.map(({ toolCalls, toolCallId, name, ...said }) => ({
      ...said,
      ...(toolCalls === undefined ? {} : { toolCalls: toolCalls.map((call) => ({ ...call, id: shortId(call.id) })) }),
      ...(toolCallId === undefined ? {} : { toolCallId: shortId(toolCallId) }),
      ...(name === undefined ? {} : { name }),
    })),
    tools: tools.map(({ name, description, parameters }) => ({
      name,
      ...(description === undefined ? {} : { description }),
      parameters: parameters ?? { type: 'object', properties: {} },
    })),
    ...(demanded && tools.length > 0 ? { demanded: only === undefined ? {} : { name: only.name } } : {}),
    several: true,
    maxTokens,
    atMost: true,
    temperature,
    seed,
    pin: mode === 'pinned' ? [control.action] : mode === 'sequence' ? control.actions : [],
    ban: mode === 'banned' ? control.actions : mode === 'free' ? [] : (control.banned ?? []),
    model: undefined,
    n: 1,
    topP: undefined,
    topK: undefined,
    stop: [],
    stream: true,
    includeUsage: false,
    user: undefined,
    decoding: undefined,
    tellActions: false,
    logprobs: undefined,
    ignored: [],
  };
}
