/** An episode that a person plays, alone or with a model, in the engine: turn by turn, until the world is done or the view is closed. */
import { z } from 'zod';
import { nothing, request } from './channel/request.ts';
import { precisionChoices } from './precision.ts';

/** Bounds of an episode that is played. */
export const playLimits = { turns: 200, said: 4000, possible: 60, alternatives: 8, turnTokens: 32 } as const;

export const playKey = z.strictObject({ play: z.string().regex(/^[\w-]{1,64}$/) });

/** Which world: worlds follow from their seed, and no world is on both sides. */
export const playWorld = z.strictObject({
  seed: z.int().nonnegative().max(0x7fffffff),
  side: z.enum(['seen', 'unseen']).default('seen'),
});

/** What is played, and with whom. */
export const playSetup = playWorld.extend({
  /** Folder that paths are relative to. */
  root: z.string().min(1).max(4096),
  /** As `cola play` takes it: a name, a module, an address, or a run spec. */
  environment: z.string().min(1).max(4096),
  /** Folder of a model, a run or `builtin:nano`; null where the person is alone. */
  model: z.string().min(1).max(4096).nullable(),
});
export type PlaySetup = z.output<typeof playSetup>;

/** A token that was written, with the latent action that led to it; of a model without actions the token alone. */
const playToken = z.object({
  text: z.string(),
  action: z.int().nonnegative().optional(),
  probability: z.number().optional(),
  runnerUp: z.object({ action: z.int().nonnegative(), probability: z.number() }).optional(),
});
export type PlayToken = z.infer<typeof playToken>;

const player = z.enum(['you', 'model', 'expert']);
export type PlayerName = z.infer<typeof player>;

const playTurn = z.object({
  by: player,
  said: z.string(),
  /** Tokens of a turn that a model wrote, at least in part; empty for one that was typed. */
  tokens: z.array(playToken),
  /** Null where there was no answer. */
  observation: z.string().nullable(),
  reward: z.number(),
});

export const playState = z.object({
  environment: z.string(),
  ...playWorld.shape,
  /** What an agent is told before everything else. */
  told: z.string(),
  /** What is seen first. */
  start: z.string(),
  turns: z.array(playTurn).max(playLimits.turns),
  /** Tokens of the next turn that were chosen one by one. */
  draft: z.array(playToken),
  /** `limit`: there were as many turns as may be played. */
  ended: z.enum(['done', 'failed', 'limit']).nullable(),
  /** Why there was no answer. */
  failure: z.string().nullable(),
  /** What would do something now; null where the environment does not say. */
  possible: z.array(z.string()).max(playLimits.possible).nullable(),
  /** Whether there is a player who knows how. */
  expert: z.boolean(),
  /** Whether a turn can be taken back. */
  back: z.boolean(),
  /** What the model chooses; null without one. */
  decoding: z.enum(['actions', 'tokens']).nullable(),
  /** Labels of the actions by code. */
  labels: z.array(z.string().nullable()),
});
export type PlayState = z.infer<typeof playState>;

/** What is told while somebody waits: what is awaited, and tokens as they are written. */
export const playProgress = z.object({
  waits: z.enum(['environment', 'model', 'writing', 'answer']).optional(),
  token: playToken.optional(),
});
export type PlayProgress = z.infer<typeof playProgress>;

/** Makes environment and model ready and begins. The environment ends with {@link closePlay}, and with the engine. */
export const openPlay = request(
  'cola/play/open',
  z.strictObject({
    ...playKey.shape,
    ...playSetup.shape,
    device: z.string().min(1).max(40),
    threads: z.int().positive().optional(),
    precision: z.enum(precisionChoices).optional(),
  }),
  playState,
  playProgress,
);
/** One that is open, as it stands. */
export const readPlay = request('cola/play/read', playKey, playState);
/** A turn: typed, or written by the model or by the player who knows how. Breaking it off leaves a turn of the model out. */
export const takeTurn = request(
  'cola/play/turn',
  z.discriminatedUnion('by', [
    playKey.extend({ by: z.literal('you'), text: z.string().min(1).max(playLimits.said) }),
    playKey.extend({ by: z.literal('model') }),
    playKey.extend({ by: z.literal('expert') }),
  ]),
  playState,
  playProgress,
);

const playAlternative = z.object({
  /** The likeliest action first. */
  tokens: z.array(playToken),
  text: z.string(),
  /** Of the first action. */
  probability: z.number(),
});
export type PlayAlternative = z.infer<typeof playAlternative>;
/** How the turn could go on from here: for the likeliest actions what each would write, to the end of the turn. */
export const playAlternatives = request(
  'cola/play/alternatives',
  playKey,
  z.object({ alternatives: z.array(playAlternative).max(playLimits.alternatives) }),
);
/** Takes one of the alternatives that were told last: its first token, or the whole turn. */
export const pickAlternative = request(
  'cola/play/pick',
  playKey.extend({ alternative: z.int().nonnegative(), whole: z.boolean() }),
  playState,
  playProgress,
);
/** Takes back what was chosen of the next turn; where that is nothing, the last turn. */
export const turnBack = request('cola/play/back', playKey, playState);
/** Begins anew, in the same world or another. */
export const restartPlay = request('cola/play/restart', playKey.extend(playWorld.shape), playState, playProgress);
/** Ends it and its environment. One that is not there has ended. */
export const closePlay = request('cola/play/close', playKey, nothing);

/** All but the closing, which needs nothing. */
export const playRequests = [
  openPlay,
  readPlay,
  takeTurn,
  playAlternatives,
  pickAlternative,
  turnBack,
  restartPlay,
] as const;
