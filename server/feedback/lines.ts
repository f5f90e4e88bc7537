/**
 * The lines of a feedback log. A *moment* is what a model offered at one place: the end of the text it read, as token ids,
 * and the alternatives with their latent actions. Everything else says what the person did with it.
 */
import { z } from 'zod';
import type { Alternative } from '../protocol/completion.ts';

const code = z.int().min(0).max(4095);
const id = z.string().min(1).max(100);
const share = z.number().min(0).max(1);

/** Tokens that a moment may hold at most, so that a line stays a single write. */
const longest = 4096;
const ids = z.array(z.int().nonnegative()).max(longest);

export const loggedAlternative = z.object({
  tokens: ids,
  /** The latent action behind each token, and log pi of it when it was chosen. */
  actions: z.array(code).max(longest),
  logp: z.array(z.number()).max(longest),
  /** The text of each token. */
  pieces: z.array(z.string()).max(longest),
});
export type LoggedAlternative = z.infer<typeof loggedAlternative>;

/** What is kept of an alternative that completion made. */
export function logged({ tokens, typed = [] }: Pick<Alternative, 'tokens' | 'typed'>): LoggedAlternative {
  const all = [...typed.map((token) => ({ ...token, text: '' })), ...tokens];
  return {
    tokens: all.map(({ id }) => id),
    actions: all.map(({ action }) => action),
    logp: all.map(({ prior }) => Math.log(Math.max(1e-9, prior))),
    pieces: all.map(({ text }) => text),
  };
}

/** A visit distribution of a search, as a target: `[action, share]` at the place before the alternatives. */
const visits = z.array(z.tuple([code, share])).max(4096);

export const momentLine = z.object({
  kind: z.literal('moment'),
  id,
  /** Milliseconds since 1970. */
  at: z.number(),
  source: z.enum(['completion', 'chat', 'search', 'simulated']),
  /** Hash of folder and name of the document, and of the whole text before the place. */
  document: z.string(),
  context: z.string(),
  /** Fingerprint of base and world model; token ids and actions mean nothing to another one. */
  model: z.string(),
  /** The policy that made the alternatives: a version, or `original`. */
  version: z.string(),
  /** The last tokens before the place. */
  prompt: ids.min(1),
  /** Their text. */
  before: z.string(),
  alternatives: z.array(loggedAlternative).min(1).max(64),
  visits: visits.optional(),
});
export type MomentLine = z.infer<typeof momentLine>;

const what = z.discriminatedUnion('what', [
  z.object({ what: z.literal('shown') }),
  /** Another one was asked for while this one was on the screen. */
  z.object({ what: z.literal('passed') }),
  z.object({ what: z.literal('picked') }),
  /** `characters` of the alternative are in the text now, from its start. */
  z.object({
    what: z.literal('accepted'),
    part: z.enum(['whole', 'word', 'line', 'typed']),
    characters: z.int().nonnegative(),
  }),
  /** `characters` had been taken before. */
  z.object({
    what: z.literal('rejected'),
    reason: z.enum(['escape', 'typed', 'moved']),
    characters: z.int().nonnegative(),
  }),
  /** Which share of what was accepted is still there after a while. */
  z.object({ what: z.literal('survived'), share, seconds: z.number().nonnegative() }),
  /** In a tree: a person's score, a branch that was forced or banned, a path that was chosen. */
  z.object({ what: z.literal('scored'), score: z.number() }),
  z.object({ what: z.literal('forced') }),
  z.object({ what: z.literal('banned') }),
  z.object({ what: z.literal('chosen') }),
]);

export const eventLine = z.intersection(
  z.object({ kind: z.literal('event'), at: z.number(), moment: id, alternative: z.int().min(0).max(63) }),
  what,
);
export type Happening = z.infer<typeof what>;

/** A person's own word on an alternative: a reward in place of the computed one; null takes the word back. */
export const correctionLine = z.object({
  kind: z.literal('correction'),
  at: z.number(),
  moment: id,
  alternative: z.int().min(0).max(63),
  reward: z.number().min(-10).max(10).nullable(),
});

export const feedbackLine = z.union([momentLine, eventLine, correctionLine]);
export type FeedbackLine = z.infer<typeof feedbackLine>;
