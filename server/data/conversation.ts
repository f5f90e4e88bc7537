/** Conversations in the forms in which they are published: messages, ShareGPT, lists of turns, transcripts. */
import type { Columns } from '../schemas/columns.ts';

export interface Message {
  readonly role: string;
  readonly content: string;
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
function contentOf(value: unknown): string | undefined {
  if (text(value)) return value;
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((part) => (text(part) ? part : isObject(part) && text(part.text) ? part.text : undefined));
  return parts.every(text) ? parts.join('') : undefined;
}

/** Calls of tools as text, in the form that Hermes and Qwen were trained on. */
function callsOf(message: Columns): string[] {
  const listed = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  const calls = isObject(message.function_call) ? [...listed, message.function_call] : listed;
  return calls.flatMap((call) => {
    const made = isObject(call) && isObject(call.function) ? call.function : call;
    if (!isObject(made) || !text(made.name)) return [];
    const given = text(made.arguments) ? made.arguments : JSON.stringify(made.arguments ?? {});
    return [`<tool_call>\n{"name": ${JSON.stringify(made.name)}, "arguments": ${given}}\n</tool_call>`];
  });
}

function messageOf(value: unknown): Message | undefined {
  if (!isObject(value)) return undefined;
  const named = value.role ?? value.from;
  if (!text(named) || named === '') return undefined;
  const role = roles[named.toLowerCase()] ?? named;
  const calls = callsOf(value);
  const said = value.content ?? value.value ?? (calls.length > 0 ? '' : undefined);
  const own = contentOf(said);
  if (own === undefined) return undefined;
  const content = named === 'function_call' ? `<tool_call>\n${own}\n</tool_call>` : own;
  return { role, content: [content, ...calls].filter((part) => part !== '').join('\n') };
}

/** A question and its answer as one turn. */
const isExchange = (value: unknown): value is { readonly input: string; readonly output: string } =>
  isObject(value) && text(value.input) && text(value.output);

const turnMark = /(?:^|\n\n)(Human|Assistant): ?/;

/** A transcript as Anthropic publishes them: `\n\nHuman: … \n\nAssistant: …`. */
function transcriptOf(value: string): Message[] | undefined {
  const [before, ...rest] = value.split(turnMark);
  if (before.trim() !== '' || rest.length < 2) return undefined;
  return Array.from({ length: rest.length / 2 }, (_, i) => ({
    role: rest[2 * i] === 'Human' ? 'user' : 'assistant',
    content: rest[2 * i + 1].trim(),
  }));
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
 * A conversation for a model without a chat template: what is asked, and the last answer. One question stands as it is;
 * several turns have the names of who speaks before them.
 */
export function plainTurns(messages: readonly Message[]): { prompt: string; response: string | undefined } {
  const last = messages.at(-1);
  const answered = last?.role === 'assistant';
  const asked = answered ? messages.slice(0, -1) : messages;
  const response = answered ? last.content : undefined;
  if (asked.length === 1 && asked[0].role === 'user') return { prompt: asked[0].content, response };
  const name = (role: string) => role.charAt(0).toUpperCase() + role.slice(1);
  const turns = asked.map(({ role, content }) => `${name(role)}: ${content}\n\n`).join('');
  return { prompt: `${turns}Assistant:`, response: response === undefined ? undefined : ` ${response}` };
}
