/** Completion by latent actions, and what every action would do. */
import { z } from 'zod';
import { request } from './channel/request.ts';

const code = z.int().nonnegative();

/** Actions that are never taken, a pin apart: what the person asks for comes before what they do not want. */
const bans = z.array(code).max(4096);

/** What a person asks of the actions. */
export const actionControl = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('free') }),
  /** The first action is this one. */
  z.strictObject({ mode: z.literal('pinned'), action: code, banned: bans.optional() }),
  /** The first actions are these. */
  z.strictObject({ mode: z.literal('sequence'), actions: z.array(code).min(1).max(256), banned: bans.optional() }),
  /** Never one of these. */
  z.strictObject({ mode: z.literal('banned'), actions: bans }),
]);
export type ActionControl = z.infer<typeof actionControl>;

const text = z.string().max(4_000_000);

const place = {
  /** Text before the cursor. */
  prefix: text,
  /** Text behind the cursor; used where the model can fill in. */
  suffix: text.default(''),
  /** Whether to fill in, where the tokenizer has the marks for it. */
  fill: z.boolean().default(true),
};

/** Patterns of files that are never recorded, from the folder. */
export const neverRecorded = z.array(z.string().max(1000)).max(1000).default([]);

/** Where a document stands: its folder, whose other files may have a say, and its own path. */
export const projectPlace = z.strictObject({
  root: z.string().min(1).max(4096),
  document: z.string().min(1).max(4096),
  /** What is never recorded has no say: a suggestion may be. */
  exclude: neverRecorded,
});
export type ProjectPlace = z.output<typeof projectPlace>;

export const completionParams = z.strictObject({
  ...place,
  alternatives: z.int().min(1).max(16).default(1),
  /** Longest completion, in tokens. */
  maxTokens: z.int().min(1).max(512).default(48),
  /** Up to the end of the block instead of the line. */
  multiline: z.boolean().default(false),
  control: actionControl.default({ mode: 'free' }),
  /** The project whose other files in the same language have a say too. */
  project: projectPlace.optional(),
  /** Milliseconds that this and the next requests may wait for a run of training to end. */
  patience: z.number().positive().max(60_000).optional(),
});
export type CompletionParams = z.output<typeof completionParams>;

const chosen = z.object({ action: code, label: z.string().nullable(), probability: z.number() });

/** A token, and the action it came from. */
export const actionToken = chosen.extend({
  id: z.int(),
  text: z.string(),
  /** What the policy held the action for by itself: another number where it is given that a word had been begun. */
  prior: z.number(),
  /** The action that was next in line, other than the one taken; null where there is only one code. */
  runnerUp: chosen.nullable(),
  /** Whether other files of the project have more to do with it than the model: the action is the likeliest behind it. */
  files: z.literal(true).optional(),
});
export type ActionToken = z.infer<typeof actionToken>;

export const alternative = z.object({
  text: z.string(),
  /** Joined, their texts are `text`. */
  tokens: z.array(actionToken),
  /** `line`, `block`: it was cut where the line or the block ended; `repeats`: where it only said the same again. */
  finish: z.enum(['end', 'line', 'block', 'repeats', 'length']),
  /** Tokens between the prompt and the first whose text was typed already, for feedback: their actions, and pi of each. */
  typed: z.array(z.object({ id: z.int(), action: code, prior: z.number() })).optional(),
  /** Name of the completion and index in it, for feedback; given by the language server. */
  source: z.object({ completion: z.string(), index: z.int() }).optional(),
});
export type Alternative = z.infer<typeof alternative>;

export const complete = request(
  'cola/complete',
  completionParams,
  z.object({
    /** The likeliest first token first; their texts differ. */
    alternatives: z.array(alternative),
    /** Tokens of the document that the model read, and those of them it knew from before. */
    promptTokens: z.int(),
    reusedTokens: z.int(),
    milliseconds: z.number(),
    /** What feedback needs to know, from the engine to the language server; it goes no further. */
    record: z
      .object({
        model: z.string(),
        /** Policy version. */
        version: z.string(),
        /** The end of what the model read, as token ids, and its text. */
        prompt: z.array(z.int()),
        before: z.string(),
      })
      .optional(),
  }),
);
export type Completion = z.infer<typeof complete.result>;

export const previewParams = z.strictObject({
  ...place,
  /** Tokens each preview goes on for. */
  tokens: z.int().min(1).max(64).default(8),
  /** Only so many of the most probable codes go on; the others show their next token. */
  extended: z.int().min(0).max(4096).default(16),
});
export type PreviewParams = z.output<typeof previewParams>;

export const codePreview = chosen.extend({
  /** The text this action starts; empty where it would end the answer. */
  text: z.string(),
  /** The most probable action that leads to the same token here, and so to the same text: they are one choice. */
  like: code,
});
export type CodePreview = z.infer<typeof codePreview>;

/** All codes, most probable first. */
export const previewActions = request('cola/actions/preview', previewParams, z.object({ codes: z.array(codePreview) }));
