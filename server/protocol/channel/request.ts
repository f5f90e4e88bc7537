/** How requests and notifications are declared: a name, and schemas for what crosses the border of a process. */
import { z } from 'zod';

/** A question with an answer. */
export interface RequestType<
  P extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
  G extends z.ZodType = z.ZodType,
> {
  readonly method: string;
  readonly params: P;
  readonly result: R;
  /** What is told while the answer is made; undefined for one that tells nothing. */
  readonly progress?: G;
}

/** A message without an answer. */
export interface NotificationType<P extends z.ZodType = z.ZodType> {
  readonly method: string;
  readonly params: P;
}

/** What a request is sent with, defaults still open. */
export type ParamsOf<T> = T extends { readonly params: infer P extends z.ZodType } ? z.input<P> : never;
/** What its receiver sees, defaults filled in. */
export type ReceivedOf<T> = T extends { readonly params: infer P extends z.ZodType } ? z.output<P> : never;
export type ResultOf<T> = T extends { readonly result: infer R extends z.ZodType } ? z.output<R> : never;

export type ProgressOf<T> = T extends { readonly progress?: infer G extends z.ZodType } ? z.output<G> : never;

export function request<P extends z.ZodType, R extends z.ZodType>(
  method: string,
  params: P,
  result: R,
): RequestType<P, R, z.ZodNever>;
export function request<P extends z.ZodType, R extends z.ZodType, G extends z.ZodType>(
  method: string,
  params: P,
  result: R,
  progress: G,
): RequestType<P, R, G>;
export function request(method: string, params: z.ZodType, result: z.ZodType, progress?: z.ZodType): RequestType {
  return { method, params, result, ...(progress === undefined ? {} : { progress }) };
}

export const notification = <P extends z.ZodType>(method: string, params: P): NotificationType<P> => ({
  method,
  params,
});

/** For requests that are asked or answered with nothing. */
export const nothing = z.strictObject({});

/** A number that JSON may have lost: what is not finite arrives as null. */
export const figure = z.number().nullable();

/** An error of the catalogue, as it travels. */
export const wireError = z.object({ id: z.string(), message: z.string(), remedy: z.string() });
export type WireError = z.infer<typeof wireError>;
