/** What is inside of a schema. */
import { z } from 'zod';

/** A schema without what is wrapped around it (defaults, optional and so on). */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodNullable ||
    inner instanceof z.ZodReadonly ||
    inner instanceof z.ZodLazy
  ) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

/** The keys an object of this schema may have. */
export function keysOf(schema: z.ZodType | undefined): string[] {
  const inner = schema === undefined ? undefined : unwrap(schema);
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape);
  return inner instanceof z.ZodUnion ? (inner.options as readonly z.ZodType[]).flatMap(keysOf) : [];
}

/** What the number at a setting counts, as its description says. */
export function unitOf(schema: z.ZodType | undefined): string | undefined {
  const unit = schema?.meta()?.unit;
  return typeof unit === 'string' ? unit : undefined;
}
