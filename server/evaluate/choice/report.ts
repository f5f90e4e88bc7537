/** What the measure of choice says, as it is written. */
import { z } from 'zod';
import { placeKinds } from './places.ts';

/** Who offers: the product's completion, and the base by its likeliest first tokens, by sampling, and by a beam. */
export const choiceWays = ['actions', 'first_tokens', 'sampled_0.7', 'sampled_1', 'beam'] as const;
export type ChoiceWay = (typeof choiceWays)[number];

/** How much is measured. */
export const choiceMeasure = z.strictObject({
  /** Places at most: as many line beginnings as word beginnings and places behind an opening bracket. */
  places: z.int().positive().default(1200),
  /** Tokens of text in which places are looked for. */
  length: z.int().min(64).default(256),
  /** Alternatives a place, beside the case of one. */
  alternatives: z.int().min(2).max(16).default(8),
  /** Longest alternative, in tokens; it ends with the line. */
  tokens: z.int().min(2).max(64).default(16),
});
export type ChoiceSettings = z.infer<typeof choiceMeasure>;

/** What is found at a place for k alternatives, in the order they are offered. */
export const quantityNames = [
  /** Whether one begins with the author's next word. */
  'word',
  /** Whether one is what the author wrote up to the end of the line. */
  'line',
  /** Characters of the best that the author wrote too, in whole words. */
  'saved',
  /** Different texts, and different first words. */
  'texts',
  'words',
  /** -log p a token under the base, the mean of the alternatives; places without any are left out. */
  'nats',
] as const;
export type Quantity = (typeof quantityNames)[number];

const interval = z.strictObject({ mean: z.number(), low: z.number(), high: z.number() });
const named = {
  kind: z.enum(['all', ...placeKinds]),
  /** Alternatives that are looked at. */
  alternatives: z.int().positive(),
  quantity: z.enum(quantityNames),
};

export const choiceReport = z.strictObject({
  places: z.strictObject({ all: z.int(), line: z.int(), word: z.int(), bracket: z.int() }),
  /** Pieces of text they are from. */
  pieces: z.int(),
  rows: z.array(z.strictObject({ ...named, way: z.enum(choiceWays), ...interval.shape })),
  /** The actions less another way, at the same places. */
  paired: z.array(z.strictObject({ ...named, against: z.enum(choiceWays), ...interval.shape })),
});
export type ChoiceReport = z.infer<typeof choiceReport>;
