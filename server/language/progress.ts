/** How far an answer is, as the Language Server Protocol tells it: with `$/progress`, under a name that came with what was asked. */
import { ProgressType } from 'vscode-languageserver';
import { z } from 'zod';
import { progressToken } from '../protocol/initialize.ts';

export const requestProgress = new ProgressType<unknown>();

const named = z.looseObject({ [progressToken]: z.union([z.string().max(200), z.int()]) });

/** What is asked, and the name for its progress. undefined: nobody listens. */
export function withoutToken(given: unknown): {
  readonly token: string | number | undefined;
  readonly params: unknown;
} {
  const parsed = named.safeParse(given);
  if (!parsed.success) return { token: undefined, params: given };
  const { [progressToken]: token, ...params } = parsed.data;
  return { token, params };
}
