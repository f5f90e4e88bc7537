/** What a person asks about the latent actions of a model: what they do, and where in a text they fire. */
import { z } from 'zod';
import { actionsFile } from '../actions.ts';
import { request, wireError } from '../channel/request.ts';

/** The profiles of a model's actions. Needs no model to be loaded. */
export const actionProfiles = request(
  'cola/actions/profiles',
  z.strictObject({
    /** `builtin:nano` or an absolute folder. */
    model: z.string().min(1),
  }),
  z.object({
    folder: z.string(),
    /** N. */
    codes: z.int().positive(),
    /** Null where `cola actions` has not been run yet, or where its file cannot be used: then `trouble` says why. */
    file: actionsFile.nullable(),
    /** By code: its label where it is one to show. */
    labels: z.array(z.string().nullable()),
    trouble: wireError.nullable(),
  }),
);

const offset = z.int().nonnegative();

export const locateParams = z.strictObject({
  text: z.string().max(2_000_000),
  /** The part that is asked about, in UTF-16 units; what stands before it is read for context. */
  from: offset.default(0),
  to: offset.optional(),
  /**
   * Who names the action of a token: the policy, which sees what stands before it, or the inverse dynamics, which sees the token too.
   * `better` is the policy, with what the base finds likelier than the token.
   */
  source: z.enum(['policy', 'inverse', 'better']).default('policy'),
});
export type LocateParams = z.output<typeof locateParams>;

/** A token of a text, and the most likely action to lead to it. */
export const locatedToken = z.object({
  /** UTF-16 units from the start of the text; equal where the token has no whole character of its own. */
  start: offset,
  end: offset,
  action: z.int().nonnegative(),
  probability: z.number(),
  /** For `better`: the token that the base finds likeliest, where that is another, and by how many nats it is likelier. */
  instead: z.object({ text: z.string(), nats: z.number().nonnegative() }).optional(),
});
export type LocatedToken = z.infer<typeof locatedToken>;

/** The most likely action of every token, of the model that is loaded. */
export const locateActions = request(
  'cola/actions/locate',
  locateParams,
  z.object({
    tokens: z.array(locatedToken),
    /** Labels by code. */
    labels: z.array(z.string().nullable()),
    /** Whether the model has an inverse dynamics to ask. */
    inverse: z.boolean(),
  }),
);
export type Located = z.infer<typeof locateActions.result>;
