/** Answers as the OpenAI API writes them. */
import { randomUUID } from 'node:crypto';
import type { ColaError } from '../errors.ts';
import type { ToolCall } from '../model/chat/tool-calls.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { TokenChance } from './log-probabilities.ts';
import { newCallId } from './tool-requests.ts';

/** A part of an answer: all of it, or what came since the part before. */
export interface Part {
  readonly index: number;
  readonly text: string;
  /** Of the tokens in it, where log-probabilities are asked for. */
  readonly chances?: readonly TokenChance[];
  /** Latent actions behind its tokens, where they are asked for. */
  readonly actions?: readonly number[];
  /** Calls of tools in it. */
  readonly calls?: readonly ToolCall[];
  readonly finish: 'stop' | 'length' | null;
}

export interface Usage {
  readonly prompt: number;
  readonly completion: number;
}

const usageOf = ({ prompt, completion }: Usage) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});

/** What the answers to one request have in common. */
export class Form {
  private readonly id: string;
  private readonly created = Math.floor(Date.now() / 1000);
  /** Characters of each answer so far, for `text_offset`. */
  private readonly written = new Map<number, number>();
  /** Answers that have said who speaks. */
  private readonly begun = new Set<number>();
  /** Calls that each answer has made. */
  private readonly called = new Map<number, number>();

  constructor(
    private readonly kind: 'completion' | 'chat',
    private readonly model: string,
    private readonly tokenizer: Tokenizer,
  ) {
    this.id = `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${randomUUID()}`;
  }

  whole(parts: readonly Part[], usage: Usage): object {
    const object = this.kind === 'chat' ? 'chat.completion' : 'text_completion';
    const choices = parts.map((part) =>
      this.kind === 'completion'
        ? this.choice(part)
        : { ...this.chatChoice(part, (part.calls?.length ?? 0) > 0), message: messageOf(part) },
    );
    return { ...this.head(object), choices, usage: usageOf(usage) };
  }

  /** One event of a stream. */
  piece(part: Part): object {
    if (this.kind === 'completion') return { ...this.head('text_completion'), choices: [this.choice(part)] };
    const role = this.begun.has(part.index) ? {} : { role: 'assistant' };
    this.begun.add(part.index);
    const calls = callsOf(part);
    const first = this.called.get(part.index) ?? 0;
    this.called.set(part.index, first + calls.length);
    const delta = {
      ...role,
      ...(part.text === '' && (part.finish !== null || calls.length > 0) ? {} : { content: part.text }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map((call, i) => ({ index: first + i, ...call })) }),
    };
    const choice = this.chatChoice(part, first + calls.length > 0);
    return { ...this.head('chat.completion.chunk'), choices: [{ ...choice, delta }] };
  }

  /** The last event of a stream, where the use is asked for. */
  usage(usage: Usage): object {
    const object = this.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
    return { ...this.head(object), choices: [], usage: usageOf(usage) };
  }

  private head(object: string) {
    return { id: this.id, object, created: this.created, model: this.model };
  }

  private choice(part: Part) {
    const { index, text, chances, finish } = part;
    const offset = this.written.get(index) ?? 0;
    this.written.set(index, offset + text.length);
    const logprobs = chances === undefined ? null : this.logprobs(chances, offset);
    return { index, text, logprobs, finish_reason: finish, ...actionsOf(part) };
  }

  private chatChoice(part: Part, called: boolean) {
    const logprobs =
      part.chances === undefined
        ? null
        : {
            content: part.chances.map(({ id, logp, top }) => ({
              ...this.token(id, logp),
              top_logprobs: top.map(([other, value]) => this.token(other, value)),
            })),
            refusal: null,
          };
    const finish_reason = called && part.finish === 'stop' ? 'tool_calls' : part.finish;
    return { index: part.index, logprobs, finish_reason, ...actionsOf(part) };
  }

  private logprobs(chances: readonly TokenChance[], offset: number) {
    let at = offset;
    const tokens = chances.map(({ id }) => tokenText(this.tokenizer, id));
    return {
      tokens,
      token_logprobs: chances.map(({ logp }) => logp),
      top_logprobs: chances.map(({ logp, top }) =>
        logp === null
          ? null
          : Object.fromEntries(top.map(([id, value]) => [tokenText(this.tokenizer, id), value]).reverse()),
      ),
      text_offset: tokens.map((token) => {
        const start = at;
        at += token.length;
        return start;
      }),
    };
  }

  private token(id: number, logprob: number | null) {
    const bytes = [...this.tokenizer.tokenBytes(id)];
    return { token: tokenText(this.tokenizer, id), logprob, bytes };
  }
}

const callsOf = ({ calls = [] }: Part) => calls.map((call) => ({ id: newCallId(), type: 'function', function: call }));

function messageOf(part: Part) {
  const calls = callsOf(part);
  const said = { role: 'assistant', content: part.text, refusal: null };
  return calls.length === 0 ? said : { ...said, content: part.text === '' ? null : part.text, tool_calls: calls };
}

const actionsOf = ({ actions }: Part) => (actions === undefined ? {} : { latent_actions: actions });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A token as text; one that is a part of a character as its bytes, so that two of them have two names. */
export function tokenText(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id);
  try {
    return utf8.decode(bytes);
  } catch {
    return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}

/** An error as OpenAI clients read it. */
export function errorBody({ id, message, remedy }: ColaError, status: number): object {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'rate_limit_error' : 'invalid_request_error';
  return { error: { message: `${message} ${remedy}`, type, param: null, code: id } };
}
