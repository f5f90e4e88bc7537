/** What went wrong, in words for the page. */
import { PageError } from '../ui/host.ts';

export function failureWords(error: unknown): { readonly message: string; readonly remedy: string } {
  if (error instanceof PageError) return error;
  return { message: error instanceof Error ? error.message : String(error), remedy: 'See the log of CoLA Studio.' };
}
