/** What a schema has to say about a value, in words for messages. */
import type { z } from 'zod';

/**
 * @returns the first problem: where (dotted path, empty for the value itself) and what
 */
export function firstIssue(error: z.ZodError): { readonly path: string; readonly detail: string } {
  const [issue] = error.issues;
  if (issue === undefined) return { path: '', detail: 'it has a wrong form' };
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return { path: issue.path.map(String).join('.'), detail: missing ? 'it is missing' : lower(issue.message) };
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
