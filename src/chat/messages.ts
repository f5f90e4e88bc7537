/** Conversations as VS Code has them, and as the engine takes them. Knows nothing of the editor but the shapes of its parts. */
import type { ChatMessage, ChatTool, ListedModel } from '../../server/protocol/index.ts';
import { studioErrors } from '../errors.ts';

/** A message of VS Code: of the person (1), of the model (2), or of whoever made the chat (3). */
export interface Said {
  readonly role: number;
  readonly content: readonly unknown[];
}

interface Part {
  readonly value?: unknown;
  readonly callId?: unknown;
  readonly name?: unknown;
  readonly input?: unknown;
  readonly content?: unknown;
  readonly mimeType?: unknown;
  readonly data?: unknown;
}

const roles = new Map<number, ChatMessage['role']>([
  [1, 'user'],
  [2, 'assistant'],
  [3, 'system'],
]);

/**
 * A conversation for the engine: results of tools become messages of their own, in front of what the person says beside them.
 *
 * @throws studio.noPictures
 */
export function messagesOf(given: readonly Said[]): ChatMessage[] {
  const names = new Map<string, string>();
  const messages: ChatMessage[] = [];
  for (const { role: number, content } of given) {
    const role = roles.get(number) ?? 'user';
    const parts = content.filter((part): part is Part => typeof part === 'object' && part !== null);
    const calls = parts.flatMap(({ callId, name, input }) =>
      typeof callId === 'string' && typeof name === 'string' ? [{ id: callId, name, arguments: input ?? {} }] : [],
    );
    for (const { id, name } of calls) names.set(id, name);
    for (const { callId, content: answered } of parts) {
      if (typeof callId !== 'string' || !Array.isArray(answered)) continue;
      const name = names.get(callId);
      const said = textOf(answered);
      messages.push({ role: 'tool', content: said, toolCallId: callId, ...(name === undefined ? {} : { name }) });
    }
    const said = textOf(parts);
    if (calls.length > 0) messages.push({ role, content: said, toolCalls: calls });
    else if (said !== '' || parts.every(({ callId }) => callId === undefined)) messages.push({ role, content: said });
  }
  return messages;
}

/** The text of parts: written, or in files of text. @throws studio.noPictures */
export function textOf(parts: readonly unknown[]): string {
  return parts
    .map((given) => {
      if (typeof given === 'string') return given;
      if (typeof given !== 'object' || given === null) return '';
      const { value, mimeType, data } = given as Part;
      if (typeof value === 'string') return value;
      if (typeof mimeType !== 'string' || !(data instanceof Uint8Array)) return '';
      if (mimeType.startsWith('image/')) throw studioErrors.noPictures();
      return /^text\/|^application\/json\b/.test(mimeType) ? new TextDecoder().decode(data) : '';
    })
    .join('');
}

/** Tools for the engine. */
export function toolsOf(
  given: readonly { readonly name: string; readonly description: string; readonly inputSchema?: object | undefined }[],
): ChatTool[] {
  return given.map(({ name, description, inputSchema }) => ({
    name,
    description,
    ...(inputSchema === undefined ? {} : { parameters: inputSchema as Record<string, unknown> }),
  }));
}

/** Tokens of the longest answer, and of what may come before it. */
export function roomOf(context: number): { readonly input: number; readonly output: number } {
  const output = Math.max(1, Math.min(4096, Math.floor(context / 4)));
  return { input: Math.max(1, context - output), output };
}

/** Whether a model can talk here: it has a chat template, can be read, and fits as it would be loaded. */
export function canChat({ chat, context, problem, fits }: ListedModel, precision: string): boolean {
  const fitting = fits === 'yes' || (fits === 'in 4 bits' && precision === 'int4');
  return chat !== undefined && context !== undefined && problem === undefined && fitting;
}
