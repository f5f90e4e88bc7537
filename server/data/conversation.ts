/** Conversations in the forms in which they are published: messages, ShareGPT, lists of turns, transcripts. */
import { jsonText } from '../jinja/json-text.ts';
import type { Columns } from '../schemas/columns.ts';

export interface Message {
  readonly role: string;
  readonly content: string;
  /** False for an answer that is read and not learned. */
  readonly learned?: false;
}

/** Names that roles have elsewhere. */
const roles: Readonly<Record<string, string>> = {
  human: 'user',
  prompter: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
  model: 'assistant',
  bot: 'assistant',
  function_call: 'assistant',
  developer: 'system',
  observation: 'tool',
  function: 'tool',
  function_response: 'tool',
  ipython: 'tool',
};

const text = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Columns =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text of a message's content: a string, or parts that are all text; undefined for anything else. */
export function contentOf(value: unknown): string | undefined {
  if (text(value)) return value;
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((part) => (text(part) ? part : isObject(part) && text(part.text) ? part.text : undefined));
  return parts.every(text) ? parts.join('') : undefined;
}

/** A call of a tool as text, in the form that Hermes and Qwen were trained on; undefined for what is none. */
export function callText(call: unknown): string | undefined {
  const made = isObject(call) && isObject(call.function) ? call.function : call;
  if (!isObject(made) || !text(made.name)) return undefined;
  const given = text(made.arguments) ? made.arguments : jsonText(made.arguments ?? {}, true);
  return `<tool_call>\n{"name": ${JSON.stringify(made.name)}, "arguments": ${given}}\n</tool_call>`;
}

/** The tools there are, as a system message that says how they are called: in the same form. */
export function toolsText(tools: readonly unknown[]): string {
  const listed = tools.map((tool) => jsonText(tool, true)).join('\n');
  return `You may call functions. Their signatures are within <tools></tools>:\n<tools>\n${listed}\n</tools>\nFor each call write a JSON object with its name and arguments within <tool_call></tool_call>.`;
}

function callsOf(message: Columns): string[] {
  const listed = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  const calls = isObject(message.function_call) ? [...listed, message.function_call] : listed;
  return calls.flatMap((call) => callText(call) ?? []);
}

/** What an answer was thought out with, where it stands apart: in the form that templates look for in the content. */
function thoughtOf(message: Columns, role: string): string {
  const thought = message.reasoning_content ?? message.reasoning ?? message.thinking;
  return role === 'assistant' && text(thought) && thought.trim() !== ''
    ? `<think>\n${thought.trim()}\n</think>\n\n`
    : '';
}

/** How OpenAI, axolotl, ms-swift and AgentInstruct say that an answer is not learned. */
const isOnlyRead = ({ weight, train, training, loss }: Columns): boolean =>
  weight === 0 || train === false || training === false || loss === false;

function messageOf(value: unknown): Message | undefined {
  if (!isObject(value)) return undefined;
  const named = value.role ?? value.from ?? value.speaker;
  if (!text(named) || named === '') return undefined;
  const role = roles[named.toLowerCase()] ?? named;
  const calls = callsOf(value);
  const said = value.content ?? value.value ?? value.text ?? value.parts ?? (calls.length > 0 ? '' : undefined);
  const own = contentOf(said);
  if (own === undefined) return undefined;
  const content = named === 'function_call' ? `<tool_call>\n${own}\n</tool_call>` : thoughtOf(value, role) + own;
  const whole = [content, ...calls].filter((part) => part !== '').join('\n');
  return { role, content: whole, ...(role === 'assistant' && isOnlyRead(value) ? { learned: false as const } : {}) };
}

/** A question and its answer as one turn. */
const isExchange = (value: unknown): value is { readonly input: string; readonly output: string } =>
  isObject(value) && text(value.input) && text(value.output);

/** Who speaks, by the marks that transcripts have; and what they write behind the last turn, or before the first. */
const transcripts: readonly {
  readonly mark: RegExp;
  readonly roles: Readonly<Record<string, string>>;
  readonly preface: boolean;
}[] = [
  // Anthropic's: `\n\nHuman: … \n\nAssistant: …`.
  { mark: /(?:^|\n\n)(Human|Assistant): ?/, roles: { Human: 'user', Assistant: 'assistant' }, preface: false },
  // Baize: `[|Human|] … [|AI|] …`, with a sentence before that says what it is.
  { mark: /(?:^|\n)\[\|(Human|AI)\|\] ?/, roles: { Human: 'user', AI: 'assistant' }, preface: true },
  // Glaive: with the answers of functions.
  {
    mark: /(?:^|\n)[ \t]*(SYSTEM|USER|ASSISTANT|FUNCTION RESPONSE): ?/,
    roles: { SYSTEM: 'system', USER: 'user', ASSISTANT: 'assistant', 'FUNCTION RESPONSE': 'tool' },
    preface: false,
  },
];

/** A call as Glaive writes it: its arguments are JSON between single quotes. */
function glaiveCall(content: string): string {
  const match = /^<functioncall>\s*(\{[\s\S]*\})$/.exec(content);
  if (match === null) return content;
  const call = match[1].replace(/"arguments":\s*'([\s\S]*)'\s*\}$/, (_, given: string) => `"arguments": ${given}}`);
  return `<tool_call>\n${call}\n</tool_call>`;
}

/** A transcript in a text. The turn that is still to be said is no message. */
function transcriptOf(value: string): Message[] | undefined {
  for (const { mark, roles: own, preface } of transcripts) {
    const [before, ...rest] = value.split(mark);
    if (rest.length < 2 || (before.trim() !== '' && !preface)) continue;
    const turns = Array.from({ length: rest.length / 2 }, (_, i) => ({
      role: own[rest[2 * i]],
      content: glaiveCall(rest[2 * i + 1].replace(/<\|endoftext\|>\s*$/, '').trim()),
    }));
    if (turns.at(-1)?.content === '') turns.pop();
    // One speaker alone is a text in which such a word stands.
    if (!turns.some(({ role }) => role === 'user')) continue;
    return before.trim() === '' ? turns : [{ role: 'system', content: before.trim() }, ...turns];
  }
  return undefined;
}

/**
 * The messages of a conversation, whatever form it has: objects with role and content (or from and value, or input
 * and output for both), texts that are said in turn, a transcript, or any of these as JSON in a text.
 *
 * @returns undefined where it is none of them
 */
export function messagesFrom(value: unknown): Message[] | undefined {
  if (text(value)) {
    if (!/^\s*\[/.test(value)) return transcriptOf(value);
    try {
      const parsed: unknown = JSON.parse(value);
      return Array.isArray(parsed) ? messagesFrom(parsed) : undefined;
    } catch {
      return undefined;
    }
  }
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (value.length > 1 && value.every(text))
    return value.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
  if (value.every(isExchange))
    return value.flatMap(({ input, output }) => [
      { role: 'user', content: input },
      { role: 'assistant', content: output },
    ]);
  const messages = value.map(messageOf);
  return messages.every((message) => message !== undefined) ? messages : undefined;
}

/**
 * Turns that were said before a prompt: pairs of a question and its answer, or a conversation up to an answer.
 *
 * @returns undefined where it is neither
 */
export function turnsBefore(value: unknown): Message[] | undefined {
  if (!Array.isArray(value)) return undefined;
  if (value.length === 0) return [];
  const isPair = (one: unknown): one is [string, string] => Array.isArray(one) && one.length === 2 && one.every(text);
  if (value.every(isPair))
    return value.flatMap(([asked, answered]) => [
      { role: 'user', content: asked },
      { role: 'assistant', content: answered },
    ]);
  const messages = messagesFrom(value);
  return messages?.at(-1)?.role === 'assistant' ? messages : undefined;
}

/** Which message of a list is none, in words. */
export function notMessages(list: readonly unknown[]): string {
  if (list.length === 0) return 'an empty list';
  const at = list.findIndex((one) => messageOf(one) === undefined);
  const one = list[at];
  if (!isObject(one)) return `a list whose item ${at + 1} is no message`;
  const named = one.role ?? one.from ?? one.speaker;
  return `a list whose message ${at + 1} has no ${text(named) && named !== '' ? 'text' : 'role'}`;
}

/**
 * A conversation for a model without a chat template: what is asked, and the last answer. One question stands as it is;
 * several turns have the names of who speaks before them.
 */
export function plainTurns(messages: readonly Message[]): { prompt: string; response: string | undefined } {
  const last = messages.at(-1);
  if (last?.learned === false) {
    // What is learned ends with an answer that may be.
    const learned = messages.findLastIndex((message) => message.role === 'assistant' && message.learned !== false);
    return plainTurns(messages.slice(0, learned < 0 ? -1 : learned + 1));
  }
  const answered = last?.role === 'assistant';
  const asked = answered ? messages.slice(0, -1) : messages;
  const response = answered ? last.content : undefined;
  if (asked.length === 1 && asked[0].role === 'user') return { prompt: asked[0].content, response };
  const name = (role: string) => role.charAt(0).toUpperCase() + role.slice(1);
  const turns = asked.map(({ role, content }) => `${name(role)}: ${content}\n\n`).join('');
  return { prompt: `${turns}Assistant:`, response: response === undefined ? undefined : ` ${response}` };
}
