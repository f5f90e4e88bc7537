/** What a page and the extension send each other with `postMessage`. Requests and notifications are declared as those of the server. */
import { z } from 'zod';
import { request, wireError } from './request.ts';

const id = z.int().nonnegative();

/** From a page: a request, or word that nobody waits for one any more. */
export const fromPage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('request'), id, method: z.string().max(200), params: z.unknown() }),
  z.strictObject({ kind: z.literal('cancel'), id }),
]);
export type FromPage = z.infer<typeof fromPage>;

/** To a page: an answer, or something that happened. */
export const toPage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('result'), id, result: z.unknown() }),
  z.strictObject({ kind: z.literal('failure'), id, error: wireError }),
  z.strictObject({ kind: z.literal('notification'), method: z.string(), params: z.unknown() }),
]);
export type ToPage = z.infer<typeof toPage>;

/** Writes a sentence to the extension's log: a page has none of its own that anybody reads. */
export const pageLog = request('page/log', z.strictObject({ text: z.string().max(10_000) }), z.strictObject({}));
