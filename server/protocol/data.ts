/** Data that somebody may train on: what a folder has, and what a file of rows holds. */
import { z } from 'zod';
import { request } from './channel/request.ts';

const size = z.number().nonnegative();

/** To the engine: how many tokens texts have for a model. */
export const countTokens = request(
  'cola/data/tokens',
  z.strictObject({
    /** A model folder; of it the tokenizer is read. */
    model: z.string().min(1),
    texts: z.array(z.string().max(1024 * 1024)).max(100),
  }),
  z.object({ tokens: z.array(z.int().nonnegative()) }),
);

/** The text files of a folder that training would read, by language. Generated and ignored files are none of them. */
export const surveyFiles = request(
  'cola/data/files',
  z.strictObject({
    root: z.string().min(1),
    /** Count tokens as this model has them. */
    model: z.string().min(1).optional(),
  }),
  z.object({
    files: z.int(),
    bytes: size,
    /** Tokens of all of it; null where no model was named, or its tokenizer cannot be read. */
    tokens: z.object({ count: z.int().nonnegative(), counted: z.enum(['all', 'part']) }).nullable(),
    /** The largest first. */
    languages: z.array(
      z.object({
        name: z.string(),
        files: z.int(),
        bytes: size,
        /** The pattern of its files. */
        glob: z.string(),
      }),
    ),
    /** The first files, with forward slashes. */
    examples: z.array(z.string()),
    /** Files that are left out, by error id, with the first of them in words. */
    leftOut: z.array(z.object({ reason: z.string(), files: z.int(), example: z.string() })),
    /** False where there is more than was looked at. */
    complete: z.boolean(),
  }),
);
export type SurveyedFiles = z.output<typeof surveyFiles.result>;

/** The first rows of a file, how they are read, and the rewards that fit. Null for a file that is a text. */
export const inspectData = request(
  'cola/data/inspect',
  z.strictObject({ file: z.string().min(1) }),
  z.object({
    inspection: z
      .object({
        /** What the shape is known by; null where it is none that is known. */
        shape: z.string().nullable(),
        /** Column of each role; a guess where the shape is not known. */
        map: z.record(z.string(), z.string()),
        /** Whether the rows are read so without the mapping. */
        implied: z.boolean(),
        columns: z.array(z.string()),
        rows: z.array(z.object({ asks: z.string(), says: z.string(), right: z.string() })),
        /** The best first. */
        rewards: z.array(z.enum(['numeric', 'maths', 'code', 'exact', 'similarity', 'countdown'])),
        /** Rows that cannot be used, among those looked at, and what is wrong with the first. */
        broken: z.object({ rows: z.int(), of: z.int(), first: z.string() }).nullable(),
      })
      .nullable(),
  }),
);
export type InspectedData = NonNullable<z.output<typeof inspectData.result>['inspection']>;
