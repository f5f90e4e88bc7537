import { ColaError } from '../errors.ts';
import type { Output } from './io.ts';

/**
 * Writes what a search has found so far. A disk may be full for a while: the search goes on, and is saved again later and at its end.
 *
 * @param before whether it could not be written the last time, which is said once
 * @returns whether it could not
 */
export async function saveSoFar(save: () => Promise<void>, output: Output, before: boolean): Promise<boolean> {
  try {
    await save();
    return false;
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    if (!before) output.note(`${error.message} The search goes on, and is saved later if it can be.`);
    return true;
  }
}
