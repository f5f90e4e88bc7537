/** Chat templates: from messages to the one text that the model was trained on, and which of its tokens are the answers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import type { Tokenizer } from './tokenizer.ts';
import { chatErrors } from './tokenizer-errors.ts';
import { parseTokenizerConfig, readModelJson, type TokenizerConfig } from './tokenizer-file.ts';

export interface Message {
  /** Usually `system`, `user` or `assistant`. */
  readonly role: string;
  readonly content: string;
}

export interface RenderOptions {
  /** End with the beginning of an assistant message, for the model to go on. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** Further variables for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface EncodedChat {
  /** Token ids of the whole conversation. */
  readonly ids: Int32Array;
  /** 1 for a token of an answer, 0 for one of the prompt; as long as `ids`. */
  readonly responseMask: Uint8Array;
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

export class ChatTemplate {
  private readonly template: Template;
  private readonly tokens: Readonly<Record<string, string>>;

  /**
   * @param source the Jinja text
   * @param config tokenizer_config.json, for the names of the special tokens
   * @param file what to call the template's file in errors
   */
  constructor(
    readonly source: string,
    config: TokenizerConfig,
    file: string,
  ) {
    try {
      this.template = new Template(source);
    } catch (cause) {
      throw chatErrors.unreadable(file, reason(cause), cause);
    }
    const { bos_token, eos_token, pad_token, unk_token } = config;
    this.tokens = Object.fromEntries(
      Object.entries({ bos_token, eos_token, pad_token, unk_token }).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    );
  }

  /** The text of a conversation. Throws `chat.refused` where the template does, or cannot be run. */
  render(messages: readonly Message[], { addGenerationPrompt = false, variables = {} }: RenderOptions = {}): string {
    try {
      return this.template.render({
        ...this.tokens,
        ...variables,
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      throw chatErrors.refused(reason(cause), cause);
    }
  }

  /**
   * The tokens of a conversation, split so that every answer begins where generation would: the prompt up to the answer and
   * the answer itself are encoded apart. Answers are the assistant's messages with what the template puts behind them; of a
   * template that rewrites earlier turns (leaves out their thoughts, say) only the last answer counts.
   *
   * Throws `chat.refused`, `chat.noResponse`, `chat.responseNotLast`.
   */
  encode(messages: readonly Message[], tokenizer: Tokenizer): EncodedChat {
    const answers = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
    const last = answers.at(-1);
    if (last === undefined) throw chatErrors.noResponse();
    const segments = this.segments(messages, answers) ?? this.segments(messages.slice(0, last + 1), [last]);
    if (segments === undefined) throw chatErrors.responseNotLast();
    const parts = segments.map(({ text, isResponse }) => ({
      ids: tokenizer.encode(text, { addSpecialTokens: false }),
      isResponse,
    }));
    const length = parts.reduce((n, part) => n + part.ids.length, 0);
    const ids = new Int32Array(length);
    const responseMask = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      ids.set(part.ids, at);
      if (part.isResponse) responseMask.fill(1, at, at + part.ids.length);
      at += part.ids.length;
    }
    return { ids, responseMask };
  }

  /** Prompt and answer texts in turn, `undefined` if one is not the beginning of the next. */
  private segments(
    messages: readonly Message[],
    answers: readonly number[],
  ): { text: string; isResponse: boolean }[] | undefined {
    const segments: { text: string; isResponse: boolean }[] = [];
    let done = '';
    for (const i of answers) {
      const prompt = this.render(messages.slice(0, i), { addGenerationPrompt: true });
      const whole = this.render(messages.slice(0, i + 1));
      if (!prompt.startsWith(done) || !whole.startsWith(prompt)) return undefined;
      segments.push({ text: prompt.slice(done.length), isResponse: false });
      segments.push({ text: whole.slice(prompt.length), isResponse: true });
      done = whole;
    }
    return segments;
  }
}

/**
 * The chat template of a model folder: chat_template.jinja, else `chat_template` of tokenizer_config.json.
 *
 * @param name which of several templates (default `default`, or the only one)
 * Throws `chat.noTemplate`, `chat.unknownTemplate`, `chat.unreadable`, `tokenizer.missingFile`, `tokenizer.broken`.
 */
export function loadChatTemplate(folder: string, name = 'default'): ChatTemplate {
  const configName = 'tokenizer_config.json';
  const config = parseTokenizerConfig(readModelJson(folder, configName, true)?.value ?? {}, join(folder, configName));
  const file = join(folder, 'chat_template.jinja');
  const named = config.chat_template;
  const own = name === 'default' ? readOptional(file) : undefined;
  if (own !== undefined) return new ChatTemplate(own, config, file);
  if (named === undefined || named === null) throw chatErrors.noTemplate(folder);
  if (typeof named === 'string') {
    if (name !== 'default') throw chatErrors.unknownTemplate(name, ['default']);
    return new ChatTemplate(named, config, join(folder, configName));
  }
  const chosen =
    named.find((entry) => entry.name === name) ?? (name === 'default' && named.length === 1 ? named[0] : undefined);
  if (named.length === 0) throw chatErrors.noTemplate(folder);
  if (chosen === undefined)
    throw chatErrors.unknownTemplate(
      name,
      named.map((entry) => entry.name),
    );
  return new ChatTemplate(chosen.template, config, join(folder, configName));
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw chatErrors.unreadable(file, reason(cause), cause);
  }
}
