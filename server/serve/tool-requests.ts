/** Tools and conversations with them, as the OpenAI API writes them, and what is meant by them here. */

import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../jinja/json-text.ts';
import type { Message, Tool } from '../model/chat/chat.ts';
import { serveErrors } from './errors.ts';

const most = { tools: 128, calls: 128, parts: 256 } as const;

const name = z.string().regex(/^[\w.-]{1,64}$/, 'a name has letters, digits and _ . -, 64 at most');
const part = z.object({ type: z.literal('text'), text: z.string() });
const content = z.union([z.string(), z.array(part).max(most.parts)]);
const call = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function').optional(),
  function: z.object({ name, arguments: z.string() }),
});

/** A message of a conversation. */
export const message = z.object({
  role: z.string().min(1).max(64),
  content: content.nullish(),
  tool_calls: z.array(call).max(most.calls).nullish(),
  tool_call_id: z.string().min(1).max(256).nullish(),
  name: z.string().max(64).nullish(),
});

/** Fields about tools. */
export const toolFields = {
  tools: z
    .array(
      z.object({
        type: z.literal('function'),
        function: z.object({
          name,
          description: z.string().nullish(),
          parameters: z.record(z.string(), z.unknown()).nullish(),
          strict: z.boolean().nullish(),
        }),
      }),
    )
    .max(most.tools)
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name }) }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
};

/** Which tools there are, and whether one has to be called. */
export interface ToolWish {
  readonly tools: readonly Tool[];
  /** An answer has to be a call, of the tool `name` where there is one. */
  readonly demanded?: { readonly name?: string };
  /** An answer may be several calls. */
  readonly several: boolean;
}

type ToolFields = z.infer<z.ZodObject<typeof toolFields>>;

/** @throws serve.badField, serve.unsupported */
export function toolWish({ tools: given, tool_choice: choice, parallel_tool_calls: several }: ToolFields): ToolWish {
  const tools = (given ?? []).map(({ function: { name, description, parameters, strict } }): Tool => {
    if (strict === true)
      throw serveErrors.unsupported('strict', 'Leave it out: what a model writes as arguments is not forced.');
    return {
      name,
      ...(typeof description === 'string' ? { description } : {}),
      // Templates look into it.
      parameters: parameters ?? { type: 'object', properties: {} },
    };
  });
  const names = tools.map((tool) => tool.name);
  const twice = names.find((each, at) => names.indexOf(each) !== at);
  if (twice !== undefined) throw serveErrors.badField('tools', `two are called ${twice}`);
  const rest = { several: several ?? true };
  if (choice === 'none') return { tools: [], ...rest };
  if (choice === undefined || choice === null || choice === 'auto') return { tools, ...rest };
  const named = typeof choice === 'string' ? undefined : choice.function.name;
  if (named !== undefined && !names.includes(named))
    throw serveErrors.badField('tool_choice', `there is no tool ${named}`);
  if (tools.length === 0) throw serveErrors.badField('tool_choice', 'there are no tools');
  const only = named ?? (names.length === 1 ? names[0] : undefined);
  return { tools, demanded: only === undefined ? {} : { name: only }, ...rest };
}

/** @throws serve.badField */
export function conversationOf(given: readonly z.infer<typeof message>[]): Message[] {
  const names = new Map<string, string>();
  return given.map(({ role, content: said, tool_calls: calls, tool_call_id: answered, name }, at) => {
    const called = calls ?? [];
    if ((said === undefined || said === null) && called.length === 0)
      throw serveErrors.badField(`messages.${at}.content`, 'it is missing');
    for (const { id, function: tool } of called) names.set(id, tool.name);
    const toolName = name ?? (typeof answered === 'string' ? names.get(answered) : undefined);
    return {
      role,
      content: typeof said === 'string' ? said : (said ?? []).map((piece) => piece.text).join(''),
      ...(called.length === 0
        ? {}
        : {
            toolCalls: called.map(({ id, function: { name: tool, arguments: text } }) => ({
              id: shortId(id),
              name: tool,
              arguments: meantBy(text),
            })),
          }),
      ...(typeof answered === 'string' ? { toolCallId: shortId(answered) } : {}),
      ...(toolName === undefined ? {} : { name: toolName }),
    };
  });
}

/** Templates write arguments as JSON themselves, from what they mean. */
function meantBy(text: string): unknown {
  try {
    return parseJson(text === '' ? '{}' : text);
  } catch {
    return text;
  }
}

/** What a call that a model makes is called. */
export const newCallId = (): string => shortId(randomUUID());

/** Mistral's templates take names of calls with nine letters and digits alone; so do all others. */
export function shortId(id: string): string {
  return /^[A-Za-z0-9]{9}$/.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 9);
}
