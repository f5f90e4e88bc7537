/** Chat templates: from messages to the one text that the model was trained on, and which of its tokens are the answers. */
import { join } from 'node:path';
import { ColaError } from '../../errors.ts';
import { limits, readTextIfThere } from '../../files/open.ts';
import { refusePretender } from '../../files/pretender.ts';
import { JsonNumber } from '../../jinja/json-text.ts';
import { Template } from '../../jinja/template.ts';
import { chatErrors } from '../tokenizer/errors.ts';
import { parseTokenizerConfig, readModelJson, type TokenizerConfig } from '../tokenizer/file.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export interface Message {
  /** Usually `system`, `user`, `assistant` or `tool`. */
  readonly role: string;
  readonly content: string;
  /** False for an answer that is read and not learned. */
  readonly learned?: boolean;
  /** Tools that an answer called. */
  readonly toolCalls?: readonly SaidCall[];
  /** Which call a tool answers. */
  readonly toolCallId?: string;
  /** Which tool answers. */
  readonly name?: string;
}

/** A call in a conversation, as templates are given it. */
export interface SaidCall {
  readonly id: string;
  readonly name: string;
  /** Usually an object. */
  readonly arguments: unknown;
}

/** A function that the model may call. */
export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** A JSON schema. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export interface RenderOptions {
  /** End with the beginning of an assistant message, for the model to go on. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** Functions that the model may call. */
  readonly tools?: readonly Tool[];
  /** Further variables for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface EncodedChat {
  /** Token ids of the whole conversation. */
  readonly ids: Int32Array;
  /** 1 for a token of an answer, 0 for one of the prompt; as long as `ids`. */
  readonly responseMask: Uint8Array;
}

/** A message with the names that templates know. */
function shownMessage({ role, content, toolCalls, toolCallId, name }: Message): object {
  const calls = toolCalls?.map(({ id, ...call }) => ({ id, type: 'function', function: call }));
  return {
    role,
    content,
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(name === undefined ? {} : { name }),
  };
}

/** What a template says may be as long as it likes. */
const longestReason = 1000;
const reason = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).slice(0, longestReason);

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
  render(
    messages: readonly Message[],
    { addGenerationPrompt = false, tools = [], variables = {} }: RenderOptions = {},
  ): string {
    try {
      return this.template.render({
        ...this.tokens,
        // There but none, as transformers has them: `tools is not none` is what many templates ask.
        tools: null,
        documents: null,
        ...variables,
        ...(tools.length === 0 ? {} : { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
        messages: messages.map(shownMessage),
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      throw chatErrors.refused(reason(cause), cause);
    }
  }

  /**
   * A conversation up to where the assistant goes on, as text and as tokens. Throws `chat.refused`.
   *
   * A control token that a message mentions is text, as in {@link encode}.
   */
  encodePrompt(
    messages: readonly Message[],
    tokenizer: Tokenizer,
    tools: readonly Tool[] = [],
  ): { readonly text: string; readonly ids: Int32Array } {
    const render = (given: readonly Message[], named: readonly Tool[]) => [
      { text: this.render(given, { addGenerationPrompt: true, tools: named }), isResponse: false },
    ];
    const [prompt] = marked(messages, tokenizer, render, tools) ?? [];
    if (prompt === undefined) throw new Error('a rendering has one segment');
    return { text: prompt.text, ids: idsOf(prompt, tokenizer) };
  }

  /**
   * What stands between an answer and where the assistant goes on, when something was said to the answer: the end of the
   * answer, the message, and the beginning of the next answer. So a conversation grows without being read again, whatever a
   * template leaves out of earlier turns. Throws `chat.refused`, `chat.responseNotLast`.
   */
  encodeReply(content: string, tokenizer: Tokenizer): Int32Array {
    const answer = 'The answer stands here.';
    const messages = [
      { role: 'user', content: 'Begin.' },
      { role: 'assistant', content: answer },
      { role: 'user', content },
    ];
    const behind = (given: readonly Message[]) => {
      const text = this.render(given, { addGenerationPrompt: true });
      const at = text.indexOf(answer);
      return at < 0 ? undefined : [{ text: text.slice(at + answer.length), isResponse: false }];
    };
    const [segment] = marked(messages, tokenizer, behind) ?? [];
    if (segment === undefined) throw chatErrors.responseNotLast();
    return idsOf(segment, tokenizer);
  }

  /**
   * The tokens of a conversation, split so that every answer begins where generation would: the prompt up to the answer and
   * the answer itself are encoded apart. Answers are the assistant's messages with what the template puts behind them, but for
   * those that are not to be learned; of a
   * template that rewrites earlier turns (leaves out their thoughts, say) only the last answer counts.
   *
   * Control tokens are those that the template writes; one that a message mentions is text.
   *
   * Throws `chat.refused`, `chat.noResponse`, `chat.responseNotLast`.
   */
  encode(messages: readonly Message[], tokenizer: Tokenizer): EncodedChat {
    const answers = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
    const last = answers.at(-1);
    if (last === undefined) throw chatErrors.noResponse();
    const segments = marked(
      messages,
      tokenizer,
      (given) => this.segments(given, answers) ?? this.segments(given.slice(0, last + 1), [last]),
    );
    if (segments === undefined) throw chatErrors.responseNotLast();
    const parts = segments.map((segment) => ({ ids: idsOf(segment, tokenizer), isResponse: segment.isResponse }));
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
  private segments(messages: readonly Message[], answers: readonly number[]): Segment[] | undefined {
    const segments: Segment[] = [];
    let done = '';
    for (const i of answers) {
      const rendered = this.render(messages.slice(0, i), { addGenerationPrompt: true });
      const whole = this.render(messages.slice(0, i + 1));
      const split = whole.startsWith(rendered)
        ? { prompt: rendered, response: whole.slice(rendered.length) }
        : besideThoughts(rendered, whole, messages[i].content);
      if (split === undefined || !split.prompt.startsWith(done)) return undefined;
      segments.push({ text: split.prompt.slice(done.length), isResponse: false });
      segments.push({ text: split.response, isResponse: messages[i].learned !== false });
      done = split.prompt + split.response;
    }
    return segments;
  }
}

interface Segment {
  readonly text: string;
  readonly isResponse: boolean;
  /** Places in the text that lie inside of no control token. */
  readonly exceptAt?: readonly number[];
}

function idsOf({ text, exceptAt }: Segment, tokenizer: Tokenizer): Int32Array {
  const controlTokens = exceptAt === undefined ? true : { exceptAt };
  return tokenizer.encode(text, { addSpecialTokens: false, controlTokens });
}

/** Every text in a value, those of keys included. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return [];
  return Object.entries(value).flatMap(([key, each]) => [key, ...textsIn(each)]);
}

/** The value with other texts, those of keys included. */
function mapTexts<T>(value: T, map: (text: string) => string): T {
  const mapped = (given: unknown): unknown => {
    if (typeof given === 'string') return map(given);
    if (Array.isArray(given)) return given.map(mapped);
    if (typeof given !== 'object' || given === null || given instanceof JsonNumber) return given;
    return Object.fromEntries(Object.entries(given).map(([key, each]) => [map(key), mapped(each)]));
  };
  return mapped(value) as T;
}

/** Characters for private use; one that no message has marks what is text in them. */
const MARKS = Array.from({ length: 64 }, (_, i) => String.fromCharCode(0xe000 + i));

/**
 * What `render` makes of messages and tools, with the places that come from them and spell a control token. They are found by
 * rendering once more with a mark inside of each. Where a template takes a marked message for another one (it looks for the
 * very token, say), nothing is known and all tokens are control tokens.
 */
function marked(
  messages: readonly Message[],
  tokenizer: Tokenizer,
  render: (messages: readonly Message[], tools: readonly Tool[]) => Segment[] | undefined,
  tools: readonly Tool[] = [],
): Segment[] | undefined {
  const plain = render(messages, tools);
  const texts = [messages.map((message) => ({ ...message, role: '' })), tools].flatMap((each) => textsIn(each));
  if (plain === undefined || texts.every((text) => tokenizer.controlPlaces(text).length === 0)) return plain;
  const mark = MARKS.find((character) => texts.every((text) => !text.includes(character)));
  if (mark === undefined) return plain;
  const cut = (text: string) => {
    const cuts = [0, ...tokenizer.controlPlaces(text), text.length];
    return cuts
      .slice(1)
      .map((end, n) => text.slice(cuts[n], end))
      .join(mark);
  };
  const withMarks = render(
    messages.map((message) => ({ ...mapTexts(message, cut), role: message.role })),
    mapTexts(tools, cut),
  );
  if (withMarks?.length !== plain.length) return plain;
  const segments: Segment[] = [];
  for (const [i, segment] of plain.entries()) {
    const pieces = withMarks[i].text.split(mark);
    if (pieces.join('') !== segment.text) return plain;
    let at = 0;
    segments.push({ ...segment, exceptAt: pieces.slice(0, -1).map((piece) => (at += piece.length)) });
  }
  return segments;
}

/**
 * Prompt and answer of a template whose generation prompt opens a thought (`<think>`) that its finished answers do not have:
 * such templates drop thoughts from the answers of a conversation. An answer that has thoughts is learned with them, behind
 * the prompt as it is; one that has none is learned as the template shows it.
 *
 * @param prompt the conversation up to the answer, with the generation prompt
 * @param whole the conversation with the answer
 */
function besideThoughts(
  prompt: string,
  whole: string,
  content: string,
): { readonly prompt: string; readonly response: string } | undefined {
  const opening = /(?:<([A-Za-z][\w-]*)>|\[([A-Za-z][\w-]*)\])\s*$/.exec(prompt);
  if (opening === null) return undefined;
  const before = prompt.slice(0, opening.index);
  if (!whole.startsWith(before)) return undefined;
  const rest = whole.slice(before.length);
  const [opened, angle, square] = opening;
  const tag = opened.trimEnd();
  // The template shows the thought, with other white space behind its mark.
  if (rest.startsWith(tag)) return { prompt: before + tag, response: rest.slice(tag.length) };
  const closing = angle === undefined ? `[/${square}]` : `</${angle}>`;
  const end = content.lastIndexOf(closing);
  if (end < 0) return { prompt: before, response: rest };
  const answer = content.slice(end + closing.length).trim();
  const shown = rest.indexOf(answer);
  if (shown < 0) return undefined;
  const behind = rest.slice(shown + answer.length);
  const spoken = content.trim();
  const thought = spoken.startsWith(tag) ? spoken.slice(tag.length) : spoken;
  const space = opened.slice(tag.length);
  return { prompt, response: (thought.startsWith(space) ? thought.slice(space.length) : thought.trimStart()) + behind };
}

/**
 * The chat template of a model folder: chat_template.jinja, else `chat_template` of tokenizer_config.json.
 *
 * @param name which of several templates (default `default`, or the only one)
 * Throws `chat.noTemplate`, `chat.unknownTemplate`, `chat.unreadable`, `tokenizer.missingFile`, `tokenizer.broken`.
 */
export function loadChatTemplate(folder: string, name = 'default'): ChatTemplate {
  const { source, config, file } = readChatTemplate(folder, name);
  return new ChatTemplate(source, config, file);
}

/** The text of the template that {@link loadChatTemplate} would load: nothing of it is run. Throws the same. */
export function readChatTemplate(
  folder: string,
  name = 'default',
): { readonly source: string; readonly config: TokenizerConfig; readonly file: string } {
  const configFile = join(folder, 'tokenizer_config.json');
  const config = parseTokenizerConfig(readModelJson(folder, 'tokenizer_config.json', true)?.value ?? {}, configFile);
  const file = join(folder, 'chat_template.jinja');
  const named = config.chat_template;
  const own = name === 'default' ? readOptional(file) : undefined;
  if (own !== undefined) return { source: own, config, file };
  if (named === undefined || named === null) throw chatErrors.noTemplate(folder);
  if (typeof named === 'string') {
    if (name !== 'default') throw chatErrors.unknownTemplate(name, ['default']);
    return { source: named, config, file: configFile };
  }
  const chosen =
    named.find((entry) => entry.name === name) ?? (name === 'default' && named.length === 1 ? named[0] : undefined);
  if (named.length === 0) throw chatErrors.noTemplate(folder);
  if (chosen === undefined)
    throw chatErrors.unknownTemplate(
      name,
      named.map((entry) => entry.name),
    );
  return { source: chosen.template, config, file: configFile };
}

function readOptional(file: string): string | undefined {
  try {
    const text = readTextIfThere(file, limits.document);
    if (text !== undefined) refusePretender(file, new TextEncoder().encode(text.slice(0, 512)));
    return text;
  } catch (cause) {
    if (cause instanceof ColaError && cause.id.startsWith('folder.')) throw cause;
    // ENOTDIR: the model is a file (GGUF), which has its template elsewhere.
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw chatErrors.unreadable(file, reason(cause), cause);
  }
}
