/** What the latent actions of a model do: the content of `actions.json` in its folder, made by `cola actions`. */
import { z } from 'zod';

export const actionsVersion = 1;

const share = z.number().min(0).max(1);
const code = z.int().nonnegative();

/** A text that comes with a code, and how much more often than without it. */
const evidence = z.strictObject({
  text: z.string(),
  /** Share of the code's positions. */
  share,
  /** That share over the share of all positions: 1 says nothing, 10 is ten times as often as elsewhere. */
  lift: z.number().nonnegative(),
});

/** What follows when the code is chosen once against its will, and the policy goes on greedily. */
const forcing = z.strictObject({
  /** Share of the prompts where the text becomes another than the policy's own. */
  changed: share,
  /** The same where another code, drawn at random, is forced. */
  changed_random: share,
  /** Share of the prompts where the first token is one of the code's tokens. */
  fits: share,
  /** The same where another code, drawn at random, is forced. */
  fits_random: share,
  /** First tokens, the most frequent first. */
  tokens: z.array(z.strictObject({ text: z.string(), share })),
  /** The same prompt continued by the policy alone, under the code, and under another one drawn at random. */
  samples: z.array(
    z.strictObject({
      prompt: z.string(),
      free: z.string(),
      forced: z.string(),
      random: z.strictObject({ code, text: z.string() }),
    }),
  ),
});

export const actionProfile = z.strictObject({
  code,
  /** Two or three words; no two codes of a model share them. */
  label: z.string().min(1).max(40),
  /** Share of the positions of a text where it is the most likely code. */
  usage: z.strictObject({
    /** For the inverse dynamics, which sees the next token. */
    inverse: share,
    /** For the policy, which does not. */
    policy: share,
  }),
  /** Tokens it stands for, by lift among the frequent ones. */
  tokens: z.array(evidence),
  /** What stands before them. */
  contexts: z.array(evidence),
  /** Places in the text: before, the token, after. */
  examples: z.array(z.strictObject({ before: z.string(), token: z.string(), after: z.string() })),
  forced: forcing,
  /** The codes nearest to it in the codebook. */
  near: z.array(z.strictObject({ code, cosine: z.number().min(-1).max(1) })),
});
/** One latent action. */
export type ActionProfile = z.infer<typeof actionProfile>;

export const actionsFile = z.strictObject({
  version: z.literal(actionsVersion),
  /** N of the model. */
  codes: z.int().positive(),
  measured: z.strictObject({
    /** Name of the text. */
    text: z.string(),
    /** Positions of the text that were looked at. */
    positions: z.int().nonnegative(),
    /** Prompts on which every code was forced, and tokens that were then generated. */
    prompts: z.int().nonnegative(),
    tokens: z.int().nonnegative(),
    seed: z.int(),
  }),
  /** In the order of the codes; a code that is left out has no profile. */
  actions: z.array(actionProfile),
});
/** Everything that is known about the latent actions of a model. */
export type ActionsFile = z.infer<typeof actionsFile>;
