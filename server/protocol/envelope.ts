/** What the language server and the engine send each other over their channel. */
import { z } from 'zod';
import { wireError } from './request.ts';

const id = z.int().nonnegative();

/** To the engine: a request, or word that nobody waits for one any more. */
export const toEngine = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('request'), id, method: z.string(), params: z.unknown() }),
  z.strictObject({ kind: z.literal('cancel'), id }),
]);
export type ToEngine = z.infer<typeof toEngine>;

/** From the engine. A failure with the id null answers what was no request at all. */
export const fromEngine = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('result'), id, result: z.unknown() }),
  z.strictObject({ kind: z.literal('failure'), id: id.nullable(), error: wireError }),
  z.strictObject({ kind: z.literal('notification'), method: z.string(), params: z.unknown() }),
]);
export type FromEngine = z.infer<typeof fromEngine>;
