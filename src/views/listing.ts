/** Lists that a view cannot have show as empty: what went wrong is said by the status bar and the commands. */
import { ColaError } from '../../server/protocol/errors.ts';

/** @returns undefined where the list cannot be had now */
export async function listOr<T>(list: Promise<T>): Promise<T | undefined> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof ColaError) return undefined;
    throw error;
  }
}
