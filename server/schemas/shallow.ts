/** Values of any form that came from elsewhere: what walks through them must not run out of stack. */
import { z } from 'zod';

/** Levels of lists and objects in each other; more than any schema of a tool has. */
const deepest = 64;

/** Whether lists and objects are in each other on more than so many levels. Takes no stack. */
export function nestedDeeper(value: unknown, limit: number): boolean {
  let level: object[] = [value].filter(isObject);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((each) => Object.values(each).filter(isObject));
  }
  return false;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A value of any form that is not deeply nested. */
export const shallow = z
  .unknown()
  .refine((value) => !nestedDeeper(value, deepest), `should be nested at most ${deepest} levels deep`);
