/** One answer while it is written. */

import { CallReader, type Said, type ToolCall, type ToolForm } from '../model/chat/tool-calls.ts';
import { rowSeed } from '../model/generate.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { Random } from '../random.ts';
import type { Part } from './answers.ts';
import type { Answer } from './batch.ts';
import type { TokenChance } from './log-probabilities.ts';
import type { Manner } from './requests.ts';
import type { Chosen } from './voice.ts';
import { Writing } from './writing.ts';

/** Receives the parts of the answers as they come. */
export type Sink = (part: Part) => void;

/** How calls of tools are read. */
export interface ToolReading {
  readonly form: ToolForm;
  readonly names: ReadonlySet<string>;
  /** Special tokens in which calls are written. */
  readonly marks: ReadonlySet<number>;
  /** What an answer has to begin with. */
  readonly beginning: string;
  /** An answer may be several calls. */
  readonly several: boolean;
}

/** What the answers to one prompt have in common. */
export interface Asked {
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
  readonly reading?: ToolReading;
}

export class Written implements Answer {
  readonly random: Random;
  readonly sampling;
  readonly pinned;
  readonly banned;
  readonly logprobs?: number;
  length = 0;
  private readonly writing: Writing;
  private actions: number[] = [];
  private chances: TokenChance[] = [];
  private readonly calls: CallReader | undefined;

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
    const { reading } = asked;
    this.writing = new Writing(tokenizer, request.stop, reading?.marks);
    if (reading === undefined) return;
    this.calls = new CallReader(reading.form, reading.names);
    // What an answer has to begin with stands in the prompt.
    this.calls.push(reading.beginning);
  }

  take({ id, action, chance }: Chosen): boolean {
    const { request, maxTokens, used } = this.asked;
    this.length++;
    used.completion++;
    if (action !== undefined && request.tellActions) this.actions.push(action);
    if (chance !== undefined) this.chances.push(chance);
    if (this.base.endIds.has(id)) return this.end('stop');
    const said = this.read(this.writing.push(id));
    if (this.writing.stopped) return this.end('stop', said);
    if (said.calls.length > 0 && this.asked.reading?.several === false) return this.end('stop', said);
    if (this.length === maxTokens) return this.end('length', said);
    // Nothing to show yet: a part of a character, or what may become a stop text or a call.
    if (said.text !== '' || said.calls.length > 0) this.emit(said, null);
    return true;
  }

  private read(text: string): Heard {
    const { calls } = this;
    return calls === undefined ? { text, calls: [] } : heard(calls.push(text));
  }

  private end(finish: 'stop' | 'length', said: Heard = { text: '', calls: [] }): false {
    const rest = this.read(this.writing.end());
    const last = this.calls === undefined ? [] : this.calls.end();
    this.emit(heard([...saidOf(said), ...saidOf(rest), ...last]), finish);
    return false;
  }

  private emit({ text, calls }: Heard, finish: Part['finish']): void {
    const { request, sink } = this.asked;
    sink({
      index: this.index,
      text,
      finish,
      ...(request.logprobs === undefined ? {} : { chances: this.chances }),
      ...(request.tellActions ? { actions: this.actions } : {}),
      ...(calls.length === 0 ? {} : { calls }),
    });
    this.chances = [];
    this.actions = [];
  }
}

interface Heard {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

const saidOf = ({ text, calls }: Heard): Said[] => [{ text }, ...calls.map((call) => ({ call }))];

/** Text and calls apart. */
function heard(said: readonly Said[]): Heard {
  return {
    text: said.map((each) => ('text' in each ? each.text : '')).join(''),
    calls: said.flatMap((each) => ('call' in each ? [each.call] : [])),
  };
}
