/** Feedback on completions and trees, and the versions of the policy that it leads to. */
import { z } from 'zod';
import { figure, nothing, request } from './channel/request.ts';
import { neverRecorded } from './completion.ts';

/** Folder whose `.cola/feedback` and `.cola/versions` are meant. */
const root = z.string().min(1);
const alternative = z.int().min(0).max(63);
const id = z.string().min(1).max(100);

/** What happened to an alternative; see the lines of the log. `left`: characters at its end that are not in the text. */
export const feedbackEvent = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('shown') }),
  z.strictObject({ what: z.literal('passed') }),
  z.strictObject({ what: z.literal('picked') }),
  z.strictObject({
    what: z.literal('accepted'),
    part: z.enum(['whole', 'word', 'line', 'typed']),
    left: z.int().nonnegative(),
  }),
  z.strictObject({
    what: z.literal('rejected'),
    reason: z.enum(['escape', 'typed', 'moved']),
    left: z.int().nonnegative(),
  }),
  z.strictObject({ what: z.literal('survived'), share: z.number().min(0).max(1), seconds: z.number().nonnegative() }),
]);
export type FeedbackEvent = z.infer<typeof feedbackEvent>;

/** Records an event of a completion; the first one writes down the completion. `stored`: whether the file may be. */
export const noteFeedback = request(
  'cola/feedback/note',
  z.strictObject({
    root,
    /** Folder of the workspace that the document belongs to, and the document; an answer of a chat has none. */
    folder: z.string().min(1),
    file: z.string().min(1).optional(),
    exclude: neverRecorded,
    completion: id,
    alternative,
    event: feedbackEvent,
  }),
  z.object({ stored: z.boolean() }),
);

export const feedbackItem = z.object({
  id,
  at: z.number(),
  source: z.enum(['completion', 'chat', 'search', 'simulated']),
  version: z.string(),
  before: z.string(),
  alternatives: z.array(
    z.object({
      text: z.string(),
      actions: z.array(z.int()),
      /** What became of it, in words; empty where nobody looked at it. */
      outcome: z.string(),
      /** What it is worth by the table; null where it was not judged. */
      reward: figure,
      corrected: z.boolean(),
    }),
  ),
});
export type FeedbackItem = z.infer<typeof feedbackItem>;

/** The log for people, newest first. */
export const listFeedback = request(
  'cola/feedback/list',
  z.strictObject({
    root,
    /** Only moments with this in their text. */
    filter: z.string().max(1000).default(''),
    from: z.int().nonnegative().default(0),
    limit: z.int().min(1).max(1000).default(200),
  }),
  z.object({ path: z.string(), bytes: z.number(), count: z.int(), items: z.array(feedbackItem) }),
);

/** Gives an alternative a reward of the person's own; null takes it back. */
export const correctFeedback = request(
  'cola/feedback/correct',
  z.strictObject({ root, moment: id, alternative, reward: z.number().min(-10).max(10).nullable() }),
  nothing,
);

/** Deletes moments with all that is known of them, for good; all, if not given. */
export const eraseFeedback = request(
  'cola/feedback/erase',
  z.strictObject({ root, moments: z.array(id).max(100_000).optional() }),
  z.object({ erased: z.int() }),
);

/** What was recorded of one latent action. */
export const actionHistory = request(
  'cola/feedback/action',
  z.strictObject({ root, action: z.int().nonnegative() }),
  z.object({ shown: z.int(), accepted: z.int(), rejected: z.int() }),
);

const pair = z.object({ before: figure, after: figure });
/** A version of the policy, as it is listed and as `version.json` of its folder has it. */
export const policyVersion = z.object({
  id: z.string(),
  /** Version it was tuned from, or `original`. */
  parent: z.string(),
  at: z.number(),
  /** Fingerprint of the model. */
  model: z.string(),
  /** What it learned from: moments, judged alternatives, updates. */
  moments: z.int(),
  judged: z.int(),
  updates: z.int(),
  /** On what was held back: how far what the policy prefers was wanted, 0 to 1, and out of how many judgements. */
  acceptance: pair,
  held_back: z.int(),
  /** Loss of the person's own text, in nats a token. */
  text_loss: pair,
  /** KL(pi || pi_original) where something was held back, in nats. */
  kl: z.number(),
  verdict: z.enum(['kept', 'unjudged', 'refused']),
  /** Why, in a sentence. */
  why: z.string(),
});
export type ListedVersion = z.infer<typeof policyVersion>;

export const listVersions = request(
  'cola/versions/list',
  z.strictObject({ root }),
  z.object({ current: z.string(), pinned: z.boolean(), versions: z.array(policyVersion) }),
);

/** Puts a version in use (`original`: the model's own policy), and pins it, so that nothing replaces it. */
export const chooseVersion = request(
  'cola/versions/choose',
  z.strictObject({ root, version: z.string().min(1).max(100), pinned: z.boolean().default(false) }),
  nothing,
);

/** Lets completion use the version of a folder that is in use there. */
export const usePolicy = request('cola/policy/use', z.strictObject({ root }), z.object({ version: z.string() }));

/** Tunes the policy of the model that completes from the log of a folder. Answered when the guard has spoken. */
export const tunePolicy = request(
  'cola/policy/tune',
  z.strictObject({
    root,
    /** Settings of the stage `feedback`. */
    settings: z.record(z.string(), z.unknown()).default({}),
  }),
  policyVersion,
  /** How far it is, in updates. */
  z.object({ done: z.int(), total: z.int() }),
);

/** Geometric mean of the probabilities that a version gives to the actions of a suggestion, 0 to 1. */
const policyScore = z.object({ version: z.string(), probability: z.number().min(0).max(1) });
export type PolicyScore = z.infer<typeof policyScore>;

/** What every version of a folder makes of a suggestion, the model's own policy first; none where it is not known any more. */
export const preferVersion = request(
  'cola/policy/prefer',
  z.strictObject({ root, completion: id, alternative }),
  z.object({ scores: z.array(policyScore) }),
);

/** From the language server to the engine: the suggestion of {@link preferVersion} as tokens, and the latent action behind each. */
export const scorePolicies = request(
  'cola/policy/score',
  z.strictObject({
    root,
    /** Fingerprint of the model that made it: tokens and actions mean nothing to another one. */
    model: z.string(),
    prompt: z.array(z.int().nonnegative()).min(1).max(4096),
    tokens: z.array(z.int().nonnegative()).min(1).max(4096),
    actions: z.array(z.int().nonnegative()).min(1).max(4096),
  }),
  z.object({ scores: z.array(policyScore) }),
);

/**
 * Records a path of a tree: at each node on it with several children these are alternatives, the one on the path is chosen, and
 * scores, forced and banned branches and visits go along.
 */
export const notePath = request(
  'cola/feedback/path',
  z.strictObject({
    root,
    search: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/),
    /** Folder with the log, where it is another. */
    log: root,
    node: z.int().nonnegative(),
  }),
  z.object({ moments: z.int() }),
);

/** From the engine to the language server: the lines of {@link notePath}. */
export const pathLines = request(
  'cola/search/path',
  z.strictObject({
    root,
    search: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/),
    node: z.int().nonnegative(),
  }),
  z.object({ lines: z.array(z.unknown()) }),
);
