/** Requests as the OpenAI API writes them, and what is meant by them here. */
import { z } from 'zod';
import type { Message } from '../model/chat/chat.ts';
import { keysOf } from '../schemas/unwrap.ts';
import { serveErrors } from './errors.ts';
import { conversationOf, message, type ToolWish, toolFields, toolWish } from './tool-requests.ts';

/** Bounds of one request. */
export const bounds = {
  bytes: 4 << 20,
  depth: 32,
  prompts: 128,
  answers: 128,
  tokens: 1 << 20,
  stops: 16,
  stopLength: 256,
  top: 20,
  messages: 4096,
} as const;

const whole = z.int().min(0).max(0x7fffffff);
const text = z.string();
const ids = z.array(whole).max(bounds.tokens);
const stop = z
  .union([
    z.string().min(1).max(bounds.stopLength),
    z.array(z.string().min(1).max(bounds.stopLength)).max(bounds.stops),
  ])
  .nullish();
const code = z.int().min(0).max(0xffff);

/** Fields that both kinds of request have. */
const common = {
  model: z.string().max(1024).nullish(),
  n: z.int().min(1).max(bounds.answers).nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).max(1_000_000).nullish(),
  seed: z.int().nullish(),
  stop,
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  user: z.string().max(256).nullish(),
  /** By the policy over latent actions, or by the tokens of the base. */
  decoding: z.enum(['actions', 'tokens']).nullish(),
  /** Tell the latent action behind each token. */
  latent_actions: z.boolean().nullish(),
  /** Actions of the first tokens. */
  pin: z.union([code, z.array(code).max(4096)]).nullish(),
  /** Actions that are never chosen. */
  ban: z.array(code).max(4096).nullish(),
};

/** Fields that change what is answered, and what to do instead. Their neutral values are taken. */
const unsupported: Readonly<Record<string, { readonly neutral: readonly unknown[]; readonly instead: string }>> = {
  suffix: { neutral: ['', null], instead: 'Send the text before the place alone.' },
  best_of: { neutral: [1, null], instead: 'Ask for several answers with "n", and choose among them.' },
  presence_penalty: { neutral: [0, null], instead: 'Leave it out, or set it to 0.' },
  frequency_penalty: { neutral: [0, null], instead: 'Leave it out, or set it to 0.' },
  logit_bias: { neutral: [null], instead: 'Ban latent actions with "ban".' },
  functions: { neutral: [null], instead: 'Use "tools".' },
  tools: { neutral: [null], instead: 'Send a conversation with them to /v1/chat/completions.' },
  response_format: { neutral: [null], instead: 'Ask for the form in a message.' },
};

const completion = z.object({
  ...common,
  prompt: z.union([
    text,
    z.array(text).min(1).max(bounds.prompts),
    ids.min(1),
    z.array(ids).min(1).max(bounds.prompts),
  ]),
  max_tokens: whole.nullish(),
  echo: z.boolean().nullish(),
  logprobs: z.int().min(0).max(bounds.top).nullish(),
});

const chat = z.object({
  ...common,
  ...toolFields,
  messages: z.array(message).min(1).max(bounds.messages),
  max_tokens: whole.nullish(),
  max_completion_tokens: whole.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(bounds.top).nullish(),
});

type Common = z.infer<z.ZodObject<typeof common>>;

/** How to decode, whatever is asked. */
export interface Manner {
  readonly model: string | undefined;
  readonly n: number;
  readonly temperature: number;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly user: string | undefined;
  readonly decoding: 'actions' | 'tokens' | undefined;
  readonly tellActions: boolean;
  readonly pin: readonly number[];
  readonly ban: readonly number[];
  readonly maxTokens: number | undefined;
  /** How many of the likeliest tokens stand beside each; undefined tells no log-probabilities. */
  readonly logprobs: number | undefined;
  /** Fields that mean nothing here. */
  readonly ignored: readonly string[];
}

export interface CompletionRequest extends Manner {
  readonly prompts: readonly (string | readonly number[])[];
  readonly echo: boolean;
}

export interface ChatRequest extends Manner, ToolWish {
  readonly messages: readonly Message[];
  /** Where the context has less room than `maxTokens`, that is enough. */
  readonly atMost?: boolean;
}

/** @throws serve.badField, serve.unsupported */
export function completionRequest(body: unknown): CompletionRequest {
  const given = parse(completion, body);
  const prompts = promptsOf(given.prompt);
  return {
    ...mannerOf(given, ignoredOf(completion, body)),
    // What the API takes where nothing is said.
    maxTokens: given.max_tokens ?? 16,
    logprobs: given.logprobs ?? undefined,
    prompts,
    echo: given.echo === true,
  };
}

/** @throws serve.badField, serve.unsupported */
export function chatRequest(body: unknown): ChatRequest {
  const given = parse(chat, body);
  const messages = conversationOf(given.messages);
  const logprobs = given.logprobs === true ? (given.top_logprobs ?? 0) : undefined;
  const maxTokens = given.max_completion_tokens ?? given.max_tokens ?? undefined;
  return { ...mannerOf(given, ignoredOf(chat, body)), maxTokens, logprobs, messages, ...toolWish(given) };
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const result = schema.safeParse(body);
  if (result.success) {
    const taken = keysOf(schema);
    for (const [field, { neutral, instead }] of Object.entries(unsupported)) {
      if (taken.includes(field)) continue;
      const value = (body as Record<string, unknown>)[field];
      if (value !== undefined && !neutral.includes(value)) throw serveErrors.unsupported(field, instead);
    }
    return result.data;
  }
  const [issue] = result.error.issues;
  throw serveErrors.badField(issue.path.join('.'), issue.message.replace(/\.$/, ''));
}

const known = new Set(Object.keys(unsupported));

function ignoredOf(schema: z.ZodType, body: unknown): string[] {
  const fields = new Set(keysOf(schema));
  return Object.keys(body as object).filter((key) => !fields.has(key) && !known.has(key));
}

function promptsOf(prompt: z.infer<typeof completion>['prompt']): (string | number[])[] {
  if (typeof prompt === 'string') return [prompt];
  return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as string[] | number[][]);
}

function mannerOf(given: Common, ignored: readonly string[]): Omit<Manner, 'maxTokens' | 'logprobs'> {
  const { pin, stop: stops } = given;
  return {
    model: given.model ?? undefined,
    n: given.n ?? 1,
    temperature: given.temperature ?? 1,
    topP: given.top_p ?? undefined,
    topK: given.top_k ?? undefined,
    seed: given.seed ?? undefined,
    stop: typeof stops === 'string' ? [stops] : (stops ?? []),
    stream: given.stream === true,
    includeUsage: given.stream_options?.include_usage === true,
    user: given.user ?? undefined,
    decoding: given.decoding ?? undefined,
    tellActions: given.latent_actions === true,
    pin: typeof pin === 'number' ? [pin] : (pin ?? []),
    ban: given.ban ?? [],
    ignored,
  };
}
