/** What went wrong, in words for the page. */
import { ColaError } from '../../server/protocol/errors.ts';

export function failureWords(error: unknown): { readonly message: string; readonly remedy: string } {
  if (error instanceof ColaError) return error;
  return { message: error instanceof Error ? error.message : String(error), remedy: 'See the log of CoLA Studio.' };
}
