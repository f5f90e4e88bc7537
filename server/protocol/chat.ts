/** A conversation with a model, which need not be the one that completes. */
import { z } from 'zod';
import { shallow } from '../schemas/shallow.ts';
import { request } from './channel/request.ts';
import { actionControl, complete } from './completion.ts';
import { precisionChoices } from './precision.ts';

const text = z.string().max(4_000_000);
const name = z.string().min(1).max(256);

const chatCall = z.strictObject({
  id: name,
  name,
  /** Usually an object. */
  arguments: shallow,
});

export const chatMessage = z.strictObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: text,
  /** Tools that an answer called. */
  toolCalls: z.array(chatCall).max(128).optional(),
  /** Which call a tool answers, and what the tool is called. */
  toolCallId: name.optional(),
  name: name.optional(),
});
export type ChatMessage = z.infer<typeof chatMessage>;

const chatTool = z.strictObject({
  name,
  description: text.optional(),
  /** A JSON schema of its arguments. */
  parameters: z.record(z.string(), shallow).optional(),
});
export type ChatTool = z.infer<typeof chatTool>;

/** Which model answers, and where it is computed. */
const speaker = {
  /** Absolute folder or file. */
  folder: z.string().min(1),
  device: z.string().default('auto'),
  threads: z.int().positive().optional(),
  precision: z.enum(precisionChoices).default('auto'),
};

/** Answers a conversation; cancelling it ends the answer. */
export const chat = request(
  'cola/chat',
  z.strictObject({
    ...speaker,
    messages: z.array(chatMessage).min(1).max(4096),
    tools: z.array(chatTool).max(128).default([]),
    /** The answer has to be a call of a tool. */
    demanded: z.boolean().default(false),
    /** Longest answer, in tokens. */
    maxTokens: z.int().positive().max(1_000_000),
    temperature: z.number().min(0).max(100).default(1),
    seed: z.int().nonnegative().optional(),
    /** Latent actions that steer it, where the model has them. */
    control: actionControl.default({ mode: 'free' }),
  }),
  z.object({
    finish: z.enum(['stop', 'length']),
    /** Tokens of the conversation and of the answer. */
    prompt: z.int(),
    answer: z.int(),
  }),
  /** What came since: text, or a call that is whole, whose arguments are JSON. */
  z.object({
    text: z.string().optional(),
    call: z.object({ id: name, name, arguments: z.string() }).optional(),
  }),
);
export type ChatParams = z.output<typeof chat.params>;

/** How many tokens a text has for a model, whose tokenizer alone is read. */
export const countChat = request(
  'cola/chat/count',
  z.strictObject({ folder: z.string().min(1), text }),
  z.object({ tokens: z.int().nonnegative() }),
);

/** Answers of the model that completes to a conversation, each with the actions behind it; the likeliest beginning first. */
export const chatAlternatives = request(
  'cola/chat/alternatives',
  z.strictObject({
    messages: z
      .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: text }))
      .min(1)
      .max(4096),
    alternatives: z.int().min(1).max(16).default(8),
    /** Longest answer, in tokens. */
    maxTokens: z.int().min(1).max(512).default(256),
    control: actionControl.default({ mode: 'free' }),
  }),
  complete.result,
);
export type ChatAlternativesParams = z.output<typeof chatAlternatives.params>;
